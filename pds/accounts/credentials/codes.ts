/** Codes that people type: random, in base32. */
import { randomInt } from 'node:crypto'

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'

/** A code of 50 bits, `xxxxx-xxxxx`. */
export const randomCode = (): string => `${randomBase32(5)}-${randomBase32(5)}`

/**
 * Normalizes a typed or pasted code to the form that {@link randomCode} makes: any case, spaces,
 * line breaks and invisible characters, another dash or none.
 */
export function codeAsMade(typed: string): string {
  const plain = typed.toLowerCase().replace(/[\s\p{Dash_Punctuation}\p{Format}\u2212]/gu, '')
  return /^[a-z2-7]{10}$/.test(plain) ? `${plain.slice(0, 5)}-${plain.slice(5)}` : plain
}

/** So many characters of base32, five bits each. */
export function randomBase32(characters: number): string {
  return Array.from({ length: characters }, () => ALPHABET[randomInt(ALPHABET.length)]).join('')
}
