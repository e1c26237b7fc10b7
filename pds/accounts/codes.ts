/** Codes that people type: random, in base32. */
import { randomInt } from 'node:crypto'

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'

/** A code of 50 bits, `xxxxx-xxxxx`. */
export const randomCode = (): string => `${randomBase32(5)}-${randomBase32(5)}`

/** So many characters of base32, five bits each. */
export function randomBase32(characters: number): string {
  return Array.from({ length: characters }, () => ALPHABET[randomInt(ALPHABET.length)]).join('')
}
