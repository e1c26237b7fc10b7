/** Repository reads that need the tree or the commit. Plain records are read from the store. */
import { DomainError } from '#platform/errors.ts'
import { writeCar } from '#protocol/car.ts'
import { type Cid, formatCid } from '#protocol/cid.ts'
import { pathTo } from '#protocol/mst/proof.ts'
import { microsOfTid } from '#protocol/tid.ts'
import type { JudgedRecord, ListOptions, RecordPath, StoredRecord } from '../store/records.ts'
import type { RepoHead } from '../store/repos.ts'
import type { Store } from '../store/store.ts'
import { type RepoOwner, repoNotFound } from './errors.ts'
import type { NodeCache } from './node-cache.ts'

/** A record with its place and the time of the commit that wrote it. */
export interface RecentRecord extends RecordPath, StoredRecord {
  /** ISO 8601. */
  readonly writtenAt: string
}

/** Records that `recentRecords` gives at most: it is for what a service is seconds behind with. */
const RECENT_RECORDS_MAX = 10

export class RepoReader {
  readonly #store: Store
  readonly #nodes: NodeCache

  constructor(store: Store, nodes: NodeCache) {
    this.#store = store
    this.#nodes = nodes
  }

  /** @throws DomainError */
  head(owner: RepoOwner): RepoHead {
    const head = this.#store.repos.head(owner.id)
    if (head === undefined) throw repoNotFound(owner.did)
    return head
  }

  record(owner: RepoOwner, path: RecordPath): JudgedRecord | undefined {
    return this.#store.records.get(owner.id, path)
  }

  /** A page of one collection. */
  records(owner: RepoOwner, options: Omit<ListOptions, 'account'>): StoredRecord[] {
    return this.#store.records.list({ ...options, account: owner.id })
  }

  /**
   * The current records written by commits after `rev`, oldest first. None when every record is
   * newer: then `rev` is not of this repository (the account moved).
   */
  recentRecords(owner: RepoOwner, rev: string): RecentRecord[] {
    const { records } = this.#store
    const found = records.since(owner.id, rev, RECENT_RECORDS_MAX)
    if (found.length === 0 || !records.hasUpTo(owner.id, rev)) return []
    return found.map((record) => ({
      ...record,
      writtenAt: new Date(microsOfTid(record.rev) / 1000).toISOString(),
    }))
  }

  /** The collections that have records. */
  collections(owner: RepoOwner): string[] {
    return this.#store.records.collections(owner.id)
  }

  /**
   * A CAR file that proves that a record is in the repository, or is not: commit, tree path,
   * record.
   * @throws DomainError
   */
  recordProof(owner: RepoOwner, path: RecordPath): Buffer {
    const head = this.head(owner)
    const record = this.record(owner, path)
    const nodes = pathTo(this.#nodes.of(owner.id), head.data, `${path.collection}/${path.rkey}`)
    const blocks: [Cid, Uint8Array][] = [[head.commit, head.commitBlock], ...nodes]
    if (record !== undefined) blocks.push([record.cid, record.block])
    return writeCar(head.commit, blocks)
  }

  /**
   * Blocks of the present repository, by their CIDs, as a CAR file.
   * @throws DomainError
   */
  blocks(owner: RepoOwner, cids: readonly Cid[]): Buffer {
    const head = this.head(owner)
    const found = new Map<Cid, Uint8Array>()
    const missing: string[] = []
    for (const cid of cids) {
      const block =
        cid === head.commit
          ? head.commitBlock
          : (this.#store.repos.node(owner.id, cid)?.block ?? this.#store.records.block(owner.id, cid))
      if (block === undefined) missing.push(formatCid(cid))
      else found.set(cid, block)
    }
    if (missing.length > 0) throw new DomainError('notFound', `Could not find cids: ${missing.join(',')}`)
    return writeCar(null, found)
  }
}
