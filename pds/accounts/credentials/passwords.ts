/**
 * Passwords, hashed as `@atproto/pds` does so that its accounts can be adopted: `salt:hash`,
 * scrypt, with the salt's hexadecimal text used as the salt.
 */
import { createHash, randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { AccountError } from '../errors.ts'

const HASH_BYTES = 64
const SALT_BYTES = 16
const derive = promisify(scrypt) as (password: string, salt: string, bytes: number) => Promise<Buffer>

/** The longest password that can be chosen, and the longest that is tried. */
export const NEW_PASSWORD_CHARACTERS_MAX = 256
export const PASSWORD_CHARACTERS_MAX = 512

/** What is stored for a password. */
export async function hashPassword(password: string): Promise<string> {
  return hashUnder(randomBytes(SALT_BYTES), password)
}

/** The hash of an app password: deterministic, so that it can be looked up by account. */
export async function hashAppPassword(did: string, password: string): Promise<string> {
  return hashUnder(createHash('sha256').update(did).digest().subarray(0, SALT_BYTES), password)
}

async function hashUnder(saltBytes: Buffer, password: string): Promise<string> {
  const salt = saltBytes.toString('hex')
  return `${salt}:${(await derive(password, salt, HASH_BYTES)).toString('hex')}`
}

/** Whether a password is the one that was stored. */
export async function verifyPassword(password: string, stored: string): Promise<boolean> {
  const [salt = '', hash = ''] = stored.split(':')
  const expected = Buffer.from(hash, 'hex')
  const actual = await derive(password, salt, HASH_BYTES)
  return expected.length === actual.length && timingSafeEqual(expected, actual)
}

/**
 * @throws AccountError for a new password that is shorter than the server asks for, and always for
 * an empty one
 */
export function assertPasswordLongEnough(password: string, charactersMin: number): void {
  if (password === '') throw new AccountError('Password must not be empty.', 'InvalidPassword')
  if (password.length < charactersMin) {
    throw new AccountError(
      `Password too short. Minimum length is ${charactersMin} characters.`,
      'InvalidPassword',
    )
  }
}
