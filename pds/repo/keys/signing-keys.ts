/**
 * The accounts' signing keys: encrypted in the database, in the clear only in memory.
 * What they are encrypted under is in `secret-file.ts`.
 */
import { seal, unseal } from '#platform/sealing.ts'
import { generateKey, importKey, type SigningKey } from '#protocol/keys.ts'
import type { AccountCredentialStore } from '../../store/account-credentials.ts'

/** Keys kept in memory, decrypted. */
const KEYS_KEPT_MAX = 10_000

export class SigningKeys {
  readonly #credentials: AccountCredentialStore
  readonly #secret: Buffer
  readonly #keys = new Map<number, SigningKey>()

  constructor(credentials: AccountCredentialStore, secret: Buffer) {
    this.#credentials = credentials
    this.#secret = secret
  }

  /** A new K-256 key, and its encrypted form for the account's row. */
  generate(): { key: SigningKey; encrypted: Buffer } {
    const key = generateKey('ES256K')
    return { key, encrypted: seal(this.#secret, key.export()) }
  }

  /** The key of an encrypted form. */
  open(encrypted: Buffer): SigningKey {
    return importKey(unseal(this.#secret, encrypted), 'ES256K')
  }

  /** Forgets the key of an account that is gone. */
  forget(account: number): void {
    this.#keys.delete(account)
  }

  /** The key of an account. */
  of(account: number): SigningKey {
    const kept = this.#keys.get(account)
    if (kept !== undefined) return kept
    const encrypted = this.#credentials.signingKey(account)
    if (encrypted === undefined) throw new Error(`no signing key for account ${account}`)
    const key = this.open(encrypted)
    if (this.#keys.size >= KEYS_KEPT_MAX) this.#keys.clear()
    this.#keys.set(account, key)
    return key
  }
}
