/**
 * Signing keys that are reserved ahead of their accounts, so that an owner who moves here can put
 * the key in their DID document first.
 */
import type { Tx } from '#platform/sqlite.ts'
import type { SigningKey } from '#protocol/keys.ts'
import type { Store } from '../../store/store.ts'
import type { SigningKeys } from './signing-keys.ts'

/** Anybody may reserve a key: of more than these, the oldest are forgotten. */
const KEYS_MAX = 10_000

export class ReservedKeys {
  readonly #store: Store
  readonly #keys: SigningKeys

  constructor(store: Store, keys: SigningKeys) {
    this.#store = store
    this.#keys = keys
  }

  /**
   * The did:key of a key that is reserved for a DID, always the same until its account is made;
   * without a DID, of a new one.
   */
  async reserve(did?: string): Promise<string> {
    const { key, encrypted } = this.#keys.generate()
    const kept = await this.#store.db.write((tx) => {
      const known = did === undefined ? undefined : this.#store.reservedKeys.get(did)
      if (known === undefined) this.#store.reservedKeys.put(tx, did ?? key.did, encrypted, KEYS_MAX)
      return known
    })
    return kept === undefined ? key.did : this.#keys.open(kept).did
  }

  /** The key that is reserved for a DID, or a new one. */
  for(did: string): { key: SigningKey; encrypted: Buffer } {
    const encrypted = this.#store.reservedKeys.get(did)
    return encrypted === undefined ? this.#keys.generate() : { key: this.#keys.open(encrypted), encrypted }
  }

  /** Frees what was reserved: the account is made. */
  clear(tx: Tx, did: string): void {
    this.#store.reservedKeys.delete(tx, did)
  }
}
