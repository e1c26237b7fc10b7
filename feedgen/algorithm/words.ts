/**
 * How text is taken apart into words. Posts and definitions are taken apart alike.
 *
 * What one person writes and another leaves out is folded: case, compatibility forms, vowel points
 * and tatweel (Arabic), niqqud (Hebrew), accents (Greek), stress (Cyrillic), joiners and variation
 * selectors. Latin accents stay: `año` is not `ano`.
 */

/**
 * Scripts that put no spaces between words: each letter is a word, and what has several is found as
 * a phrase.
 */
const UNSPACED = 'Han Hira Kana Bopo Yiii Thai Laoo Khmr Mymr Tale Talu Lana Tavt Java Bali'
  .split(' ')
  .map((script) => `\\p{scx=${script}}`)
  .join('')
const UNSPACED_LETTER = `(?=[\\p{L}\\p{N}])[${UNSPACED}]`
const EMOJI = String.raw`\p{RI}\p{RI}|[0-9#*]\u20E3|\u{1F3F4}[\u{E0020}-\u{E007F}]+|\p{ExtPict}\p{EMod}?(?:\u200D\p{ExtPict}\p{EMod}?)*`
const WORD = new RegExp(
  `${EMOJI}|\\p{EMod}|(?:${UNSPACED_LETTER})\\p{M}*|\\p{Script=Hangul}+|` +
    `(?:(?!${UNSPACED_LETTER}|\\p{Script=Hangul})[\\p{L}\\p{N}\\p{M}_])+`,
  'gu',
)
const ASCII_WORD = /[a-z0-9_]+/g
/** Letters, and digits too, that belong to the word that they touch. */
const WORD_LETTER = `[\\p{L}--[${UNSPACED}\\p{Script=Hangul}]]`
const WORD_CHARACTER = `[[\\p{L}\\p{N}\\p{M}_]--[${UNSPACED}\\p{Script=Hangul}]]`

/** Before a syllable that does not begin its word. */
const INNER_SYLLABLE = '-'
const HANGUL = /^\p{Script=Hangul}+$/u
const SKIN_TONE = /\p{EMod}/gu

/**
 * The words of a text in their folded form, each between two spaces: ` so it reads `. A word or
 * phrase stands in a text exactly if its own words are a part of that. An empty string when there
 * are none.
 *
 * Korean words are written with particles behind them; they stand here syllable by syllable, those
 * behind the first marked, so that a word is found at the beginning of another.
 */
export function wordsOf(text: string): string {
  const form = folded(text)
  const words = isAscii(form) ? form.match(ASCII_WORD) : form.match(WORD)?.flatMap(tokensOf)
  return words?.length ? ` ${words.join(' ')} ` : ''
}

function tokensOf(word: string): string | string[] {
  if (HANGUL.test(word))
    return [...word].map((syllable, i) => (i === 0 ? syllable : INNER_SYLLABLE + syllable))
  const tones = word.match(SKIN_TONE)
  return tones === null || tones[0] === word ? word : [word.replace(SKIN_TONE, ''), ...tones]
}

/** Arabic, Hebrew and Syriac points, tatweel, and signs that Armenian sets inside a word. */
const POINTS =
  /[\u0591-\u05BD\u05BF\u05C1\u05C2\u05C4\u05C5\u05C7\u055B\u055C\u055E\u0610-\u061A\u0640\u064B-\u065F\u0670\u06D6-\u06DC\u06DF-\u06E8\u06EA-\u06ED\u0711\u0730-\u074A\u08D3-\u08E1\u08E3-\u08FF]/g
/** What is not seen: soft hyphens, direction marks, variation selectors, fillers. */
const UNSEEN =
  // biome-ignore lint/suspicious/noMisleadingCharacterClass: each of these is taken out by itself
  /\u034F|[\u00AD\u061C\u115F\u1160\u17B4\u17B5\u180B-\u180F\u200C\u200E\u200F\u202A-\u202E\u2060-\u206F\u3164\uFE00-\uFE0F\uFEFF\uFFA0]|(?<!\p{ExtPict}\p{EMod}?\uFE0F?)\u200D|\u200D(?!\p{ExtPict})/gu
const GREEK_ACCENTS = /(?<=\p{Script=Greek}\p{M}*)\p{M}/gu
/** Stress marks; `ѓ` and `ќ` are letters of their own. */
const CYRILLIC_STRESS = /(?<=[аеиоуыэюяіє]\p{M}*)[\u0300\u0301]/gu
/** Letters that different keyboards write for the same. */
const VARIANTS = new Map(Object.entries({ ς: 'σ', ک: 'ك', ی: 'ي', ى: 'ي', ہ: 'ه', ة: 'ه' }))
const VARIANT = /[ςکیىہة]/g

/** A text in the form in which words and tags are compared. */
export function folded(text: string): string {
  if (isAscii(text)) return text.toLowerCase()
  return text
    .replaceAll('\u200B', ' ')
    .normalize('NFKD')
    .toUpperCase()
    .toLowerCase()
    .normalize('NFKD')
    .replace(UNSEEN, '')
    .replace(POINTS, '')
    .replace(GREEK_ACCENTS, '')
    .replace(CYRILLIC_STRESS, '')
    .replaceAll('е\u0308', 'е')
    .replaceAll('i\u0307', 'i')
    .replace(VARIANT, (letter) => VARIANTS.get(letter) ?? letter)
    .normalize('NFKC')
}

/** A word or phrase that is looked for. */
export interface Term {
  /** Its words, as {@link wordsOf} has them. */
  readonly words: string
  /** What is looked for, to be shown: with the signs that count. */
  readonly shown: string
  /** Whether it stands in a text whose words are `said`. */
  isIn(said: string, text: string): boolean
}

/** Signs that make another word of one that they touch: `c++`, `#art`, `$nvda`, `a*`. */
const SIGN = String.raw`[\p{Sm}\p{Sc}#@&%*]`
const CHUNK = new RegExp(
  String.raw`^(?:(?!${SIGN})[\p{P}\p{S}])*?((?:${SIGN}|\.(?=\p{L}))*)([\p{L}\p{N}].*?)(${SIGN}*)(?:(?!${SIGN})[\p{P}])*$`,
  'u',
)
const syllables = (words: string) =>
  words
    .split(' ')
    .map((word) => [...word].map((syllable) => ` ${INNER_SYLLABLE}${syllable}`).join(''))
    .join('|')
/** What follows a Korean noun: a plural, a particle or the copula, and a topic marker. */
const PARTICLES =
  '이 가 을 를 의 에 에서 에게 에게서 께 께서 한테 한테서 으로 로 와 과 랑 이랑 하고 까지 부터 마다 조차 마저 밖에 처럼 같이 보다 만큼 대로 라도 이라도 나 이나 든지 이든지 야 아 여 이다 다 입니다 이에요 예요 였다 이었다 인 이며 이고 라 이라 라고 이라고 란 이란 님 뿐 씩'
const PARTICLE = new RegExp(
  `^(?:${syllables('들')})?(?:${syllables(PARTICLES)})?(?:${syllables('은 는 도 만 요')})? (?!${INNER_SYLLABLE})`,
  'u',
)

/** The term that a creator wrote; undefined when there is no word in it. */
export function termOf(text: string): Term | undefined {
  const words = wordsOf(text)
  if (words === '') return undefined
  const chunks = folded(text)
    .split(/\s+/)
    .flatMap((chunk) => {
      const [, before, inner, after] = CHUNK.exec(chunk) ?? []
      return inner === undefined ? [] : { before: before as string, inner, after: after as string }
    })
  if (chunks.some(({ before, after }) => before !== '' || after !== '')) {
    const shown = chunks.map(({ before, inner, after }) => before + inner + after).join(' ')
    const exact = exactly(chunks)
    return { words, shown, isIn: (said, text) => said.includes(words) && exact.test(folded(text)) }
  }
  const shown = words.trim().replaceAll(` ${INNER_SYLLABLE}`, '')
  const isSyllable = /(?:^| )\p{Script=Hangul} $/u.test(words)
  return { words, shown, isIn: isSyllable ? (said) => hasNoun(said, words) : (said) => said.includes(words) }
}

interface Chunk {
  before: string
  inner: string
  after: string
}

/** Finds the chunks with their signs. */
function exactly(chunks: readonly Chunk[]): RegExp {
  const [{ before }, { after }] = [chunks[0] as Chunk, chunks.at(-1) as Chunk]
  const start = before === '' ? '' : `|${escaped(before.charAt(0))}`
  const end = after === '' ? WORD_CHARACTER : `${WORD_LETTER}|${escaped(after.charAt(0))}`
  const body = chunks.map(({ before, inner, after }) => escaped(before + inner + after))
  return new RegExp(`(?<!${WORD_CHARACTER}${start})${body.join('[\\s\\p{P}]+')}(?!${end})`, 'v')
}

/**
 * Whether a noun of one syllable stands there alone or with particles: `차` is in `차를` and not in
 * `차이`.
 */
function hasNoun(said: string, words: string): boolean {
  for (let at = said.indexOf(words); at >= 0; at = said.indexOf(words, at + 1))
    if (PARTICLE.test(said.slice(at + words.length - 1))) return true
  return false
}

function escaped(text: string): string {
  return [...text]
    .map((character) =>
      /[\p{L}\p{N}\p{M}]/u.test(character) ? character : `\\u{${character.codePointAt(0)?.toString(16)}}`,
    )
    .join('')
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false
  return true
}
