/**
 * Regular expressions of strangers: RE2, whose time grows with the text and never explodes.
 *
 * RE2 knows `\w`, `\d`, `\s` and `\b` of ASCII only. Here they mean what Unicode says: the classes
 * are written out, and `\b` finds a mark that is put into the text at each boundary of a word, over
 * which everything else passes. A text of ASCII is searched as it is.
 */
import { RE2JS, RE2JSException } from 're2js'
import { InvalidDefinitionError } from './invalid.ts'

/**
 * Repetitions are written out when an expression is made ready: `(a{100}){100}` is ten thousand
 * steps.
 */
export const regexStepsMax = 2000
/** Steps that every expression has. */
const FRAME_STEPS = 4
/** Longer texts are looked at up to here: an ordinary post has 300 characters. */
export const regexTextCharactersMax = 4000

/** An expression that is ready. */
export interface CompiledRegex {
  /**
   * Steps that its repetitions add to what is written: each may be under way at each place of a
   * text.
   */
  readonly repeatedSteps: number
  matches(text: string): boolean
}

/**
 * Makes an expression ready; it is looked for anywhere in a text.
 * @throws InvalidDefinitionError when it is none, or too large
 */
export function compileRegex(source: string, path: string): CompiledRegex {
  const pattern = source.normalize('NFC')
  const regex = compiled(pattern, path)
  const steps: number = regex.programSize()
  if (steps > regexStepsMax)
    throw new InvalidDefinitionError(path, `takes ${steps} steps, and ${regexStepsMax} are allowed`)
  const { written, marks } = unicode(pattern)
  const wide = written === pattern ? regex : compiled(written, path)
  return {
    repeatedSteps: Math.max(0, steps - source.length - FRAME_STEPS),
    matches(text) {
      const looked = text.length > regexTextCharactersMax ? text.slice(0, regexTextCharactersMax) : text
      if (wide === regex) return regex.test(looked.normalize('NFC'))
      if (ASCII.test(looked)) return regex.test(looked)
      const normal = looked.normalize('NFC')
      return wide.test(marks === 'none' ? normal : marked(normal, marks))
    },
  }
}

function compiled(source: string, path: string): RE2JS {
  try {
    return RE2JS.compile(source)
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error
    throw new InvalidDefinitionError(path, error.message)
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
const ASCII = /^[\x00-\x7f]*$/

/**
 * Two noncharacters, which stand in no text of people: at a boundary of a word, and everywhere
 * else.
 */
const [EDGE, INSIDE] = ['\u{10FFFF}', '\u{10FFFE}']
/** How many edges are set at one place: as many `\b` may stand beside each other. */
const EDGES = 3
const WORD = String.raw`\p{L}\p{M}\p{N}\p{Pc}\x{200c}\x{200d}`
const NO_WORD = String.raw`\p{Pd}\p{Ps}\p{Pe}\p{Pi}\p{Pf}\p{Po}\p{S}\p{Z}\p{Cc}\p{Co}\x{200b}\x{200e}-\x{200f}\x{2060}-\x{206f}\x{feff}`
const SPACE = String.raw`\t-\r\x{85}\p{Z}`
const NO_SPACE = String.raw`\x00-\x08\x0e-\x1f\x21-\x{84}\x{86}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{10fffd}`
/** What an escape stands for in a class, and what in a class of its own is the same. */
const CLASSES = new Map<string, { within: string; alone: string }>([
  ['\\w', { within: WORD, alone: WORD }],
  ['\\W', { within: NO_WORD, alone: `^${WORD}` }],
  ['\\d', { within: '\\p{Nd}', alone: '\\p{Nd}' }],
  ['\\D', { within: '\\P{Nd}', alone: '^\\p{Nd}' }],
  ['\\s', { within: SPACE, alone: SPACE }],
  ['\\S', { within: NO_SPACE, alone: `^${SPACE}` }],
])

/** Escapes, classes, heads of groups, repetitions, and single characters. */
const TOKENS =
  /\\Q(?:[\s\S]*?\\E|[\s\S]*)|\\(?:[pP](?:\{[^}]*\}|.)|x(?:\{[^}]*\}|..)|[0-7]{1,3}|[\s\S])|\[\^?\]?(?:\[:\^?\w+:\]|\\[pP]\{[^}]*\}|\\[\s\S]|[^\]\\])*\]|\(\?(?:P?<[^>]*>|[a-zA-Z-]*[:)])|[*+?]\??|\{\d+(?:,\d*)?\}\??|[\s\S]/gu

type Marks = 'none' | 'edges' | 'all'

/** The expression with what Unicode means written out, and which marks it wants in the text. */
function unicode(pattern: string): { written: string; marks: Marks } {
  const tokens: readonly string[] = pattern.match(TOKENS) ?? []
  const marks: Marks = tokens.includes('\\B') ? 'all' : tokens.includes('\\b') ? 'edges' : 'none'
  const passed = marks === 'all' ? `[${EDGE}${INSIDE}]*` : `${EDGE}*`
  const none = marks === 'none' ? '' : EDGE + INSIDE
  const pass = marks === 'none' ? '' : passed
  const atom = (text: string) => (marks === 'none' ? text : `(?:${pass}${text})`)
  const takesLineEnds = tokens.some((token) => /^\(\?[a-zA-Z]*s/.test(token))
  const out: string[] = []
  for (const token of tokens) {
    const known = CLASSES.get(token)
    if (known) {
      out.push(atom(`[${known.alone}${known.alone.startsWith('^') ? none : ''}]`))
    } else if (token === '\\b') out.push(EDGE)
    else if (token === '\\B') out.push(INSIDE)
    else if (token.startsWith('\\Q')) {
      for (const character of token.slice(2).replace(/\\E$/, '')) out.push(atom(RE2JS.quote(character)))
    } else if (token.startsWith('[') && token.length > 1) out.push(atom(classOf(token, none)))
    else if (token === '\\A' || token === '^') out.push(token)
    else if (token === '$' || token === '\\z') out.push(marks === 'none' ? token : `(?:${pass}${token})`)
    else if (token === '.') out.push(marks === 'none' ? '.' : atom(`[^${takesLineEnds ? '' : '\\n'}${none}]`))
    else if (/^(?:[*+?|()]|[*+?]\?|\{\d|\(\?)/.test(token)) out.push(token)
    else if (/^\\P/.test(token)) out.push(atom(none === '' ? token : `[${token}]`))
    else out.push(atom(token))
  }
  return { written: out.join(''), marks }
}

function classOf(token: string, none: string): string {
  const inner = token
    .slice(1, -1)
    .replaceAll(/\\[pP]\{[^}]*\}|\\[\s\S]/gu, (part) => CLASSES.get(part)?.within ?? part)
  return token.startsWith('[^') ? `[${inner}${none}]` : `[${inner}]`
}

const IS_WORD = /[\p{L}\p{M}\p{N}\p{Pc}\u200C\u200D]/u

/** The text with marks at its boundaries. */
function marked(text: string, marks: Marks): string {
  let out = ''
  let wasWord = false
  const mark = (isWord: boolean) => {
    if (isWord !== wasWord) out += EDGE.repeat(EDGES)
    else if (marks === 'all') out += INSIDE.repeat(EDGES)
    wasWord = isWord
  }
  for (const character of text) {
    mark(IS_WORD.test(character))
    out += character
  }
  mark(false)
  return out
}
