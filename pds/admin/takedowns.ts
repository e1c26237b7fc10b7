/**
 * Takedowns of records and blobs, and what is taken down. Those of accounts are made by
 * `accounts/standing.ts`.
 */
import type { Cid } from '#protocol/cid.ts'
import { type Takedown, takedownRef } from '../accounts/statuses.ts'
import type { Account } from '../store/accounts.ts'
import type { RecordPath } from '../store/records.ts'
import type { Store } from '../store/store.ts'

/** Whose record or blob it is. */
type Owner = Pick<Account, 'id'>

export class Takedowns {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  ofAccount(account: Account): Takedown {
    return fromRef(account.takedownRef)
  }

  /** The record as it is now and whether it is taken down; undefined when there is none. */
  ofRecord({ id }: Owner, path: RecordPath): { readonly cid: Cid; readonly takedown: Takedown } | undefined {
    const record = this.#store.records.get(id, path)
    return record && { cid: record.cid, takedown: fromRef(record.takedownRef) }
  }

  /** Whether a blob is taken down; undefined when there is none. */
  ofBlob({ id }: Owner, cid: Cid): Takedown | undefined {
    const blob = this.#store.blobs.get(id, cid)
    return blob && fromRef(blob.takedownRef)
  }

  /**
   * Takes a record down, or lifts that; nothing when there is none. It stays in the repository,
   * which is its owner's and signed.
   */
  async setRecord({ id }: Owner, path: RecordPath, takedown: Takedown): Promise<void> {
    await this.#store.db.write((tx) =>
      this.#store.records.setTakedown(tx, id, path, takedownRef(tx, takedown)),
    )
  }

  /**
   * Takes a blob down, or lifts that; nothing when there is none. It is neither handed out nor
   * received again.
   */
  async setBlob({ id }: Owner, cid: Cid, takedown: Takedown): Promise<void> {
    await this.#store.db.write((tx) => this.#store.blobs.setTakedown(tx, id, cid, takedownRef(tx, takedown)))
  }
}

const fromRef = (ref: string | null): Takedown => (ref === null ? { applied: false } : { applied: true, ref })
