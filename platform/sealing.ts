/**
 * How secrets are stored, so that a copy of a database reveals none of them.
 *
 * A secret that is only compared is stored as a digest. One that has to be read again is sealed
 * with AES-256-GCM: under a key from outside the database, or under the token that requests it.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hash,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto'

const CIPHER = 'aes-256-gcm'
export const SEALING_KEY_BYTES = 32
const IV_BYTES = 12
const TAG_BYTES = 16

/** Sealed bytes that do not open: under another key, or changed. */
export class SealError extends Error {
  override name = 'SealError'
}

/** The SHA-256 of a random secret, as text. Not for what a person made up. */
export const digestOf = (secret: string): string => hash('sha256', secret, 'base64url')

/** Whether a text is the secret, in constant time for texts of one length. */
export function comparerOf(secret: string): (text: string) => boolean {
  const fingerprint = (text: string): Buffer => hash('sha256', text, 'buffer')
  const expected = fingerprint(secret)
  return (text) => timingSafeEqual(fingerprint(text), expected)
}

/** A digest that cannot be tried out without the key: for codes short enough to be typed. */
export const keyedDigest = (key: Buffer, digest: Uint8Array): Buffer =>
  createHmac('sha256', key).update('keyed digest').update(digest).digest()

/** Seals bytes under a key of 32 bytes; each time differently. */
export function seal(key: Buffer, bytes: Uint8Array): Buffer {
  const iv = randomBytes(IV_BYTES)
  const cipher = createCipheriv(CIPHER, key, iv)
  const body = Buffer.concat([cipher.update(bytes), cipher.final()])
  return Buffer.concat([iv, cipher.getAuthTag(), body])
}

/** The bytes that were sealed under the key. @throws SealError */
export function unseal(key: Buffer, sealed: Uint8Array): Buffer {
  try {
    const decipher = createDecipheriv(CIPHER, key, sealed.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES })
    decipher.setAuthTag(sealed.subarray(IV_BYTES, IV_BYTES + TAG_BYTES))
    return Buffer.concat([decipher.update(sealed.subarray(IV_BYTES + TAG_BYTES)), decipher.final()])
  } catch (cause) {
    throw new SealError('what was sealed does not open: the key is not the one it was sealed under', {
      cause,
    })
  }
}

/** Seals a text under a random token. */
export const sealUnder = (token: string, text: string): string =>
  seal(keyOf(token), Buffer.from(text)).toString('base64url')

/** The text that was sealed under the token. @throws SealError */
export const unsealUnder = (token: string, sealed: string): string =>
  unseal(keyOf(token), Buffer.from(sealed, 'base64url')).toString()

/** Apart from the token's digest, which lies beside what is sealed. */
const keyOf = (token: string): Buffer =>
  Buffer.from(hkdfSync('sha256', token, '', 'sealed under a token', SEALING_KEY_BYTES))
