/**
 * The accounts' signing keys: encrypted in the database, in the clear only in memory.
 *
 * The secret that they are encrypted under lies in a file of its own outside the database, so that a copy of the database
 * is not a copy of everybody's key. Without that file no repository can be signed: it belongs into every backup, apart from
 * the database.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { crashPoint } from '#platform/crash-points.ts'
import { generateKey, importKey, type SigningKey } from '#protocol/keys.ts'
import type { AccountStore } from '../store/accounts.ts'

const CIPHER = 'aes-256-gcm'
const SECRET_BYTES = 32
const IV_BYTES = 12
const TAG_BYTES = 16
/** Keys kept in memory, decrypted. */
const KEYS_KEPT_MAX = 10_000

/**
 * The secret of a key file, made on the first start, readable by its owner only. It is whole and on the disk, its folder's entry too,
 * before any key is encrypted under it.
 */
export function loadKeySecret(path: string): Buffer {
  try {
    const secret = Buffer.from(readFileSync(path, 'utf8').trim(), 'hex')
    if (secret.length !== SECRET_BYTES)
      throw new Error(`${path} does not hold ${SECRET_BYTES} bytes in hexadecimal`)
    return secret
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const secret = randomBytes(SECRET_BYTES)
  const unfinished = `${path}.new`
  writeSynced(unfinished, `${secret.toString('hex')}\n`)
  crashPoint('secret.beforeRename')
  renameSync(unfinished, path)
  syncFolder(dirname(path))
  return secret
}

function writeSynced(path: string, text: string): void {
  const file = openSync(path, 'w', 0o600)
  try {
    writeSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

export class SigningKeys {
  readonly #accounts: AccountStore
  readonly #secret: Buffer
  readonly #keys = new Map<number, SigningKey>()

  constructor(accounts: AccountStore, secret: Buffer) {
    this.#accounts = accounts
    this.#secret = secret
  }

  /** A new K-256 key, and its encrypted form for the account's row. */
  generate(): { key: SigningKey; encrypted: Buffer } {
    const key = generateKey('ES256K')
    const iv = randomBytes(IV_BYTES)
    const cipher = createCipheriv(CIPHER, this.#secret, iv)
    const body = Buffer.concat([cipher.update(key.export()), cipher.final()])
    return { key, encrypted: Buffer.concat([iv, cipher.getAuthTag(), body]) }
  }

  /** The key of an account. */
  of(account: number): SigningKey {
    const kept = this.#keys.get(account)
    if (kept !== undefined) return kept
    const encrypted = this.#accounts.signingKey(account)
    if (encrypted === undefined) throw new Error(`no signing key for account ${account}`)
    const key = importKey(this.#decrypt(encrypted), 'ES256K')
    if (this.#keys.size >= KEYS_KEPT_MAX) this.#keys.clear()
    this.#keys.set(account, key)
    return key
  }

  #decrypt(encrypted: Buffer): Buffer {
    const decipher = createDecipheriv(CIPHER, this.#secret, encrypted.subarray(0, IV_BYTES), {
      authTagLength: TAG_BYTES,
    })
    decipher.setAuthTag(encrypted.subarray(IV_BYTES, IV_BYTES + TAG_BYTES))
    try {
      return Buffer.concat([decipher.update(encrypted.subarray(IV_BYTES + TAG_BYTES)), decipher.final()])
    } catch (cause) {
      throw new Error(
        'a signing key does not decrypt: the key secret is not the one it was encrypted under',
        { cause },
      )
    }
  }
}
