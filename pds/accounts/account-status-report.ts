/** How far an account has moved in: what its owner looks at before it is activated. */
import type { Account } from '../store/accounts.ts'
import type { Store } from '../store/store.ts'
import type { Identities } from './identities.ts'

/** Counts of what is here of an account. */
export interface AccountCheckup {
  readonly activated: boolean
  /** Whether its identity names this host. */
  readonly validDid: boolean
  /** The commit, the nodes and the records, each block once. */
  readonly repoBlocks: number
  readonly indexedRecords: number
  /** The blobs that its records refer to, and those that are here. */
  readonly expectedBlobs: number
  readonly importedBlobs: number
}

export class Checkups {
  readonly #store: Store
  readonly #identities: Identities

  constructor(store: Store, identities: Identities) {
    this.#store = store
    this.#identities = identities
  }

  async of({ id, did, deactivatedAt, takedownRef }: Account): Promise<AccountCheckup> {
    const validDid = await this.#identities.namesUs(did)
    const { records, blocks } = this.#store.records.counts(id)
    const blobs = this.#store.blobs.counts(id)
    return {
      activated: deactivatedAt === null && takedownRef === null,
      validDid,
      repoBlocks: 1 + this.#store.repos.countNodes(id) + blocks,
      indexedRecords: records,
      expectedBlobs: blobs.referenced,
      importedBlobs: blobs.received,
    }
  }
}
