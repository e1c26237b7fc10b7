/** What writes do to the records of a repository, inside the transaction of their commit. */
import { DomainError } from '#platform/errors.ts'
import type { Tx } from '#platform/sqlite.ts'
import { type Cid, formatCid } from '#protocol/cid.ts'
import type { RepoOp } from '#protocol/frame.ts'
import type { RecordPath, RecordRef } from '../store/records.ts'
import type { Store } from '../store/store.ts'
import { badBlobReference, type RepoOwner, SwapMismatchError } from './errors.ts'
import type { BlobReference, PreparedRecord } from './prepare.ts'

/**
 * One change to a repository. `swapRecord`: the record must be this one now; null: there must be
 * none.
 */
export type Write =
  | { readonly action: 'create'; readonly record: PreparedRecord; readonly replaceSameSubject?: boolean }
  | { readonly action: 'update'; readonly record: PreparedRecord }
  | { readonly action: 'put'; readonly record: PreparedRecord; readonly swapRecord?: Cid | null }
  | {
      readonly action: 'delete'
      readonly path: RecordPath
      readonly ifThere?: boolean
      readonly swapRecord?: Cid
    }

/**
 * The records' side of a commit: rows written one after the other, and the operations that they
 * make.
 */
export class Change {
  readonly ops: RepoOp[] = []
  /** Blocks of the records that were created or updated. */
  readonly records = new Map<Cid, Buffer>()
  readonly rev: string
  /**
   * Blobs that a record refers to before these writes. What the writes say of them is taken as it
   * is: it may be what another host let pass, and a record that was taken can be edited.
   */
  readonly #known = new Set<Cid>()
  /** The repository's id when blocks that leave it are kept for an export that is under way. */
  readonly retiresFrom: number | undefined
  readonly #store: Store
  readonly #tx: Tx
  readonly #owner: RepoOwner

  constructor(
    store: Store,
    tx: Tx,
    owner: RepoOwner,
    rev: string,
    retiresFrom: number | undefined,
    writes: readonly Write[],
  ) {
    this.#store = store
    this.#tx = tx
    this.#owner = owner
    this.rev = rev
    this.retiresFrom = retiresFrom
    for (const write of writes) {
      if (write.action === 'delete') continue
      for (const { cid } of write.record.blobs) {
        if (store.blobs.isReferenced(owner.id, cid)) this.#known.add(cid)
      }
    }
  }

  apply(write: Write): void {
    switch (write.action) {
      case 'create':
        return this.#create(write.record, write.replaceSameSubject === true)
      case 'update':
        return this.#update(write.record, this.#existing(write.record))
      case 'put':
        return this.#put(write.record, write.swapRecord)
      case 'delete':
        return this.#deleteIf(write.path, write.ifThere === true, write.swapRecord)
    }
  }

  /** Whether a write has nothing to do. */
  isDone(write: Write): boolean {
    const current = (path: RecordPath) => this.#store.records.find(this.#owner.id, path)
    switch (write.action) {
      case 'put':
        return current(write.record)?.cid === write.record.cid
      case 'delete':
        return write.ifThere === true && current(write.path) === undefined
      default:
        return false
    }
  }

  #create(record: PreparedRecord, replaceSameSubject: boolean): void {
    const { records } = this.#store
    if (replaceSameSubject && record.subject !== null) {
      for (const rkey of records.withSubject(this.#owner.id, record.collection, record.subject)) {
        const path = { collection: record.collection, rkey }
        this.#delete(path, this.#existing(path))
      }
    }
    if (records.find(this.#owner.id, record) !== undefined) {
      throw new DomainError('conflict', `Record already exists: ${keyOf(record)}`)
    }
    const row = records.insert(this.#tx, this.#owner.id, this.rev, record)
    this.#refer(record.blobs, row)
    this.records.set(record.cid, record.block)
    this.ops.push({ action: 'create', path: keyOf(record), cid: record.cid })
  }

  #put(record: PreparedRecord, swapRecord: Cid | null | undefined): void {
    const current = this.#store.records.find(this.#owner.id, record)
    if (current?.cid === record.cid) return
    assertSwap(swapRecord, current)
    if (current === undefined) this.#create(record, false)
    else this.#update(record, current)
  }

  #update(record: PreparedRecord, current: RecordRef): void {
    this.#retire(record, current)
    this.#store.records.update(this.#tx, current.id, this.rev, record)
    this.#store.blobs.unrefer(this.#tx, current.id)
    this.#refer(record.blobs, current.id)
    this.records.set(record.cid, record.block)
    this.ops.push({ action: 'update', path: keyOf(record), cid: record.cid, prev: current.cid })
  }

  #deleteIf(path: RecordPath, ifThere: boolean, swapRecord: Cid | undefined): void {
    const current = this.#store.records.find(this.#owner.id, path)
    if (current === undefined && ifThere) return
    assertSwap(swapRecord, current)
    this.#delete(path, current ?? this.#existing(path))
  }

  #delete(path: RecordPath, current: RecordRef): void {
    this.#retire(path, current)
    this.#store.records.delete(this.#tx, current.id)
    this.#store.blobs.unrefer(this.#tx, current.id)
    this.ops.push({ action: 'delete', path: keyOf(path), cid: null, prev: current.cid })
  }

  #existing(path: RecordPath): RecordRef {
    const current = this.#store.records.find(this.#owner.id, path)
    if (current === undefined) throw new DomainError('notFound', `Could not find record: ${keyOf(path)}`)
    return current
  }

  #retire(path: RecordPath, current: RecordRef): void {
    if (this.retiresFrom === undefined) return
    const record = this.#store.records.get(this.#owner.id, path)
    if (record !== undefined) {
      this.#store.repos.retire(this.#tx, this.retiresFrom, record.cid, current.rev, record.block)
    }
  }

  #refer(blobs: readonly BlobReference[], record: number): void {
    for (const { cid, mimeType, size } of blobs) {
      const blob = this.#store.blobs.get(this.#owner.id, cid)
      const isKnown = this.#known.has(cid)
      if (blob === undefined || blob.takedownRef !== null || (blob.lostAt !== null && !isKnown)) {
        throw badBlobReference('BlobNotFound', `Could not find blob: ${formatCid(cid)}`)
      }
      if (!isKnown && blob.mimeType !== mimeType) {
        throw badBlobReference(
          'InvalidMimeType',
          `Referenced Mimetype does not match stored blob. Expected: ${blob.mimeType}, Got: ${mimeType}`,
        )
      }
      if (!isKnown && blob.size !== size) {
        throw badBlobReference(
          'InvalidSize',
          `Referenced Size does not match stored blob. Expected: ${blob.size}, Got: ${size}`,
        )
      }
      this.#store.blobs.refer(this.#tx, this.#owner.id, cid, record, this.rev)
    }
  }
}

const keyOf = ({ collection, rkey }: RecordPath): string => `${collection}/${rkey}`

function assertSwap(expected: Cid | null | undefined, current: RecordRef | undefined): void {
  if (expected === undefined) return
  if (expected !== (current?.cid ?? null)) throw new SwapMismatchError('Record', current?.cid ?? null)
}
