/** Regular expressions of other engines as those of RE2, which a definition has. */
import type { Filter } from '../../../feedgen/algorithm/definition.ts'
import type { TextPlace } from '../../../feedgen/algorithm/features.ts'
import { InvalidDefinitionError } from '../../../feedgen/algorithm/read.ts'
import { compileRegex } from '../../../feedgen/algorithm/regex.ts'
import { oneLine } from '../output.ts'
import type { Notes } from './imported.ts'

/** The longest one that the lexicon lets a definition have. */
const regexBytesMax = 1000

interface RegexOptions {
  ignoreCase: boolean
  /** Whether `^` and `$` stand for the ends of lines, too. */
  multiline?: boolean
  /** Where to look; one match in one place is enough. */
  places: readonly TextPlace[]
}

/**
 * The filter for a pattern. One that is too long becomes several, each with some of its alternatives.
 * @returns undefined, and a note, when RE2 cannot do it
 */
export function regexFilter(
  original: string,
  { ignoreCase, multiline = false, places }: RegexOptions,
  at: string,
  notes: Notes,
): Filter | undefined {
  const pattern = asRe2(original)
  const flags = `${ignoreCase && !pattern.startsWith('(?i)') ? 'i' : ''}${multiline ? 'm' : ''}`
  const flag = flags && `(?${flags})`
  const parts = faultOf(flag + pattern) === undefined ? [pattern] : split(pattern, flag)
  if (parts === undefined) {
    notes.lostFilter(at, `the regular expression ${oneLine(pattern, 60)}: ${faultOf(flag + pattern)}`)
    return undefined
  }
  const filters = parts.map((part): Filter => textFilter({ regex: flag + part }, places))
  return filters.length === 1 ? filters[0] : { kind: 'any', of: filters }
}

/** Escapes that are left alone, and those that RE2 writes in another way: code points, the end of a text, flags for Unicode. */
const FOREIGN =
  /\\u\{([0-9a-fA-F]{1,6})\}|\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})|(\\Z)|\(\?-?u:(\\[bB])\)|(\(\?-?[ua]\))|\\[\s\S]/g

/** The same pattern as RE2 writes it. */
export function asRe2(pattern: string): string {
  return pattern.replace(
    FOREIGN,
    (written, braced, high, low, short, long, end, boundary: string | undefined, flag) => {
      const pair = high && String.fromCharCode(Number.parseInt(high, 16), Number.parseInt(low, 16))
      const hex = braced ?? pair?.codePointAt(0)?.toString(16) ?? short ?? long
      if (hex !== undefined) return `\\x{${hex.replace(/^0+(?=.)/, '').toLowerCase()}}`
      if (end !== undefined) return '\\z'
      if (boundary !== undefined) return boundary
      return flag === undefined ? written : ''
    },
  )
}

/** A filter for text; the text itself is the place that need not be said. */
export function textFilter(
  what: { words: string[] } | { regex: string },
  places: readonly TextPlace[],
): Filter {
  const elsewhere = places.length !== 1 || places[0] !== 'text'
  return { kind: 'text', ...what, ...(elsewhere && { in: [...places] }) }
}

/** What is against an expression as part of a definition. */
function faultOf(regex: string): string | undefined {
  if (Buffer.byteLength(regex) > regexBytesMax) return `it is longer than ${regexBytesMax} bytes`
  try {
    compileRegex(regex, '')
    return undefined
  } catch (error) {
    if (error instanceof InvalidDefinitionError) return error.reason
    throw error
  }
}

/** Patterns that together find what the one finds; undefined when it cannot be taken apart so that each is accepted. */
function split(pattern: string, flag: string): string[] | undefined {
  const { before, alternatives, after } = takeApart(pattern)
  const isAccepted = (part: string) => faultOf(flag + before + part + after) === undefined
  const parts: string[] = []
  for (const alternative of alternatives) {
    const longer = `${parts.at(-1)}|${alternative}`
    if (parts.length > 0 && isAccepted(longer)) parts[parts.length - 1] = longer
    else if (isAccepted(alternative)) parts.push(alternative)
    else return undefined
  }
  return parts.map((part) => before + part + after)
}

interface Parts {
  before: string
  alternatives: string[]
  after: string
}

/** The alternatives of a pattern, or of the one group that it is but for word boundaries, anchors and flags around it. */
function takeApart(pattern: string): Parts {
  const alternatives = alternativesOf(pattern)
  const [, before = '', inner = '', after = ''] =
    /^((?:\(\?[a-z]+\)|\\b|\^)*\((?:\?:)?)(.*)(\)(?:\\b|\$)*)$/s.exec(pattern) ?? []
  if (alternatives.length > 1 || inner === '' || !isBalanced(inner)) {
    const flags = /^\(\?[a-z]+\)/.exec(pattern)?.[0] ?? ''
    const [first = '', ...rest] = alternatives
    return { before: flags, alternatives: [first.slice(flags.length), ...rest], after: '' }
  }
  return { before, alternatives: alternativesOf(inner), after }
}

/** The parts between the `|` that stand in no group and no class. */
function alternativesOf(pattern: string): string[] {
  const parts = ['']
  for (const { token, depth } of tokensOf(pattern)) {
    if (token === '|' && depth === 0) parts.push('')
    else parts[parts.length - 1] += token
  }
  return parts
}

/** Whether every group that ends in it began in it. */
function isBalanced(pattern: string): boolean {
  return tokensOf(pattern).every(({ depth }) => depth >= 0)
}

function tokensOf(pattern: string): { token: string; depth: number }[] {
  let depth = 0
  return (pattern.match(/\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|./gsu) ?? []).map((token) => {
    if (token === '(') depth++
    else if (token === ')') depth--
    return { token, depth }
  })
}
