/** Converts regular expressions of other engines to RE2, which definitions use. */
import type { Filter } from '../../../feedgen/algorithm/definition.ts'
import type { TextPlace } from '../../../feedgen/algorithm/features.ts'
import { InvalidDefinitionError } from '../../../feedgen/algorithm/read.ts'
import { compileRegex } from '../../../feedgen/algorithm/regex.ts'
import { oneLine } from '../output.ts'
import type { Notes } from './imported.ts'

/** The lexicon's limit. */
const regexBytesMax = 1000

interface RegexOptions {
  ignoreCase: boolean
  /** Whether `^` and `$` also match at line ends. */
  multiline?: boolean
  /** The places to search; a match in any of them is enough. */
  places: readonly TextPlace[]
}

/**
 * The filter for a pattern. A pattern that is too long is split by its alternatives.
 * @returns undefined, with a note, when RE2 does not support it
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

/** Escapes to keep, and those that RE2 spells differently: code points, end of text, flags. */
const FOREIGN =
  /\\u\{([0-9a-fA-F]{1,6})\}|\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})|(\\Z)|\(\?-?u:(\\[bB])\)|(\(\?-?[ua]\))|\\[\s\S]/g

/** The pattern in RE2 syntax. */
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

/** A text filter; the text itself is the default place. */
export function textFilter(
  what: { words: string[] } | { regex: string },
  places: readonly TextPlace[],
): Filter {
  const elsewhere = places.length !== 1 || places[0] !== 'text'
  return { kind: 'text', ...what, ...(elsewhere && { in: [...places] }) }
}

/** Why an expression cannot be part of a definition. */
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

/** Patterns that together match what the one matches; undefined if no split is accepted. */
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

/** The alternatives of a pattern, or of its one group inside word boundaries, anchors and flags. */
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

/** The parts between `|` outside groups and classes. */
function alternativesOf(pattern: string): string[] {
  const parts = ['']
  for (const { token, depth } of tokensOf(pattern)) {
    if (token === '|' && depth === 0) parts.push('')
    else parts[parts.length - 1] += token
  }
  return parts
}

/** Whether every group that closes in it also opens in it. */
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
