/** Text from outside, in the form that every store holds. */

/**
 * The text with U+FFFD in place of U+0000, which PostgreSQL has no place for, and of halves of
 * surrogate pairs, which are no UTF-8. Both stores hold this form, so that they answer alike.
 */
export function storableText(text: string): string {
  return text.includes('\0') || !text.isWellFormed() ? text.toWellFormed().replaceAll('\0', '\uFFFD') : text
}
