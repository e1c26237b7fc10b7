/** How text is taken apart into words. Posts and definitions are taken apart alike. */

/**
 * A letter of a script that puts no spaces between words is a word of its own, and so is a pictograph; what is written with several of them is
 * found as a phrase.
 */
const WORD =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\p{Extended_Pictographic}]\p{M}*|(?:(?![\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}])[\p{L}\p{N}\p{M}_])+/gu
const ASCII_WORD = /[a-z0-9_]+/g

/**
 * The words of a text, lower case and in compatibility form (NFKC), each between two spaces: ` so it reads `. A word or phrase stands in a text
 * exactly if its own words are a part of that. An empty string when there are none.
 */
export function wordsOf(text: string): string {
  const words = isAscii(text)
    ? text.toLowerCase().match(ASCII_WORD)
    : text.normalize('NFKC').toLowerCase().match(WORD)
  return words === null ? '' : ` ${words.join(' ')} `
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false
  return true
}
