/** Regular expressions of strangers: RE2, whose time grows with the text and never explodes. */
import { RE2JS, RE2JSException } from 're2js'
import { InvalidDefinitionError } from './invalid.ts'

/** Repetitions are written out when an expression is made ready: `(a{100}){100}` is ten thousand steps. */
export const regexStepsMax = 2000
/** Steps that every expression has. */
const FRAME_STEPS = 4
/** Longer texts are looked at up to here: an ordinary post has 300 characters. */
export const regexTextCharactersMax = 4000

/** An expression that is ready. */
export interface CompiledRegex {
  /** Steps that its repetitions add to what is written: each may be under way at each place of a text. */
  readonly repeatedSteps: number
  matches(text: string): boolean
}

/**
 * Makes an expression ready; it is looked for anywhere in a text.
 * @throws InvalidDefinitionError when it is none, or too large
 */
export function compileRegex(source: string, path: string): CompiledRegex {
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
  return {
    repeatedSteps: Math.max(0, steps - source.length - FRAME_STEPS),
    matches: (text) =>
      regex.test(text.length > regexTextCharactersMax ? text.slice(0, regexTextCharactersMax) : text),
  }
}
