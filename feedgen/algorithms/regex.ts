/** Regular expressions of strangers: RE2, whose time grows with the text and never explodes. */
import { RE2JS, RE2JSException } from 're2js'
import { InvalidDefinitionError } from './invalid.ts'

/** Repetitions are written out when an expression is made ready: `(a{100}){100}` is ten thousand steps. */
export const regexStepsMax = 2000
/** Longer texts are looked at up to here: an ordinary post has 300 characters. */
export const regexTextCharactersMax = 4000

/**
 * Makes an expression ready; it is looked for anywhere in a text.
 * @throws InvalidDefinitionError when it is none, or too large
 */
export function compileRegex(source: string, path: string): (text: string) => boolean {
  let regex: RE2JS
  try {
    regex = RE2JS.compile(source)
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error
    throw new InvalidDefinitionError(path, error.message)
  }
  const steps: number = regex.programSize()
  if (steps > regexStepsMax)
    throw new InvalidDefinitionError(path, `takes ${steps} steps, and ${regexStepsMax} are allowed`)
  return (text) =>
    regex.test(text.length > regexTextCharactersMax ? text.slice(0, regexTextCharactersMax) : text)
}
