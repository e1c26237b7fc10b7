/**
 * Repositories brought from elsewhere: `importRepo`.
 *
 * The archive is spooled to the disk while it comes, each block checked against its CID. Then its tree is walked in the order of its keys,
 * and checked: every key valid, in order and on its layer, every node and record there and well formed. What is read goes in small
 * transactions into a repository that nobody sees. The last transaction gives that repository to the account, under a commit of our own:
 * until then the account has its old repository, and from then on the new one, whole. Whatever ends the import before that leaves rows that
 * are nobody's; they are cleared away, and the archive can be sent again.
 *
 * The archive's signature is not looked at: its owner brings it, and what counts is ours, which the identity's document names.
 */

import { isValidNsid } from '@atproto/syntax'
import { DomainError } from '#platform/errors.ts'
import { Turns } from '#platform/keyed-mutex.ts'
import type { Logger } from '#platform/log.ts'
import { makePrivateFolder } from '#platform/private-files.ts'
import { Slots } from '#platform/semaphore.ts'
import type { Tx } from '#platform/sqlite.ts'
import { MINUTE_MS } from '#platform/time.ts'
import { CarError, CarReader, writeCar } from '#protocol/car.ts'
import { CborError, type CborValue, isMap } from '#protocol/cbor.ts'
import { type Cid, isRawCid } from '#protocol/cid.ts'
import { type Commit, CommitError, decodeCommit, signCommit } from '#protocol/commit.ts'
import { layerOf } from '#protocol/mst/key.ts'
import { decodeNode, InvalidNodeError, MissingNodeError } from '#protocol/mst/node.ts'
import { Cursor } from '#protocol/mst/walk.ts'
import { decodeRecord } from '#protocol/record.ts'
import { microsOfTid, TidClock } from '#protocol/tid.ts'
import { blobsOf } from '../blobs/references.ts'
import type { Firehose } from '../firehose/firehose.ts'
import type { DiskSpace } from '../limits/disk-space.ts'
import type { NewRecord } from '../store/records.ts'
import type { RepoHead } from '../store/repos.ts'
import type { Store } from '../store/store.ts'
import { type RepoOwner, repoNotFound, SwapMismatchError } from './errors.ts'
import type { Exports } from './export.ts'
import type { SigningKeys } from './keys/signing-keys.ts'
import { subjectOf } from './prepare.ts'
import { BlockSpool } from './spool.ts'
import type { CommitRef } from './write.ts'

/** Archives that are received, or are here and wait; the senders of further ones wait. */
const SPOOLS_AT_ONCE_MAX = 16
/** Imports that fill a repository at the same time: none of them waits for its sender. */
const IMPORTS_AT_ONCE_MAX = 4
/** Rows, and bytes of blocks, that one transaction stores: a few milliseconds. */
const STEP_ROWS_MAX = 500
const STEP_BYTES_MAX = 512 * 1024
/** Transactions that may be on their way to the disk while the next is prepared. */
const STEPS_AHEAD_MAX = 2
/** Rows that one transaction clears away. */
const CLEARED_ROWS_MAX = 500
/** A revision further ahead than this is accepted by nobody, so ours need not be above it. */
const REV_AHEAD_MS_MAX = 5 * MINUTE_MS

/** https://atproto.com/specs/record-key */
const RECORD_KEY_CHARACTERS_MAX = 512

/** A row of the repository that is being filled. */
type Row =
  | { readonly kind: 'node'; readonly cid: Cid; readonly block: Buffer }
  | { readonly kind: 'record'; readonly record: NewRecord; readonly blobs: readonly Cid[] }

export class Imports implements AsyncDisposable {
  readonly #store: Store
  readonly #firehose: Firehose
  readonly #keys: SigningKeys
  readonly #exports: Exports
  readonly #folder: string
  readonly #disk: DiskSpace
  readonly #log: Logger
  readonly #clock = new TidClock()
  /** Imports of one account come one after the other. */
  readonly #turns = new Turns<number>()
  readonly #spools = new Slots(SPOOLS_AT_ONCE_MAX)
  readonly #places = new Slots(IMPORTS_AT_ONCE_MAX)
  /** Repositories that an import fills now, by their ids. */
  readonly #filling = new Set<number>()
  #toClear = false
  #clearing: Promise<void> | undefined
  #disposed = false

  /** @param options `folder`: where archives are spooled while they are imported */
  constructor(
    parts: {
      store: Store
      firehose: Firehose
      keys: SigningKeys
      exports: Exports
      disk: DiskSpace
      log: Logger
    },
    options: { folder: string },
  ) {
    this.#store = parts.store
    this.#firehose = parts.firehose
    this.#keys = parts.keys
    this.#exports = parts.exports
    this.#disk = parts.disk
    this.#log = parts.log
    this.#folder = options.folder
  }

  /** Clears away what an earlier process did not finish. */
  async open(): Promise<void> {
    makePrivateFolder(this.#folder)
    await BlockSpool.clear(this.#folder)
    this.clearLoose()
  }

  /**
   * Makes an archive (a CAR file) the account's repository; resolves once that is durable. Imports of one account come one after the other.
   * @throws DomainError; SwapMismatchError when the repository was written to meanwhile; what the archive throws; then nothing has changed
   */
  async import(owner: RepoOwner, archive: AsyncIterable<Uint8Array>): Promise<CommitRef> {
    try {
      return await this.#turns.run(owner.id, () => this.#spools.run(() => this.#import(owner, archive)))
    } catch (error) {
      throw isFaultOfArchive(error)
        ? new DomainError('invalid', error.message, undefined, { cause: error })
        : error
    } finally {
      this.clearLoose()
    }
  }

  /** Clears away, step by step, what imports left over. Does nothing while that is under way. */
  clearLoose(): void {
    if (this.#disposed) return
    this.#toClear = true
    this.#clearing ??= this.#clearWhileAsked()
  }

  /** Ends clearing after the step that is under way; the next start goes on with it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true
    await this.#clearing
  }

  async #import(owner: RepoOwner, archive: AsyncIterable<Uint8Array>): Promise<CommitRef> {
    await using spool = await BlockSpool.open(this.#folder, this.#disk)
    const root = await receive(archive, spool)
    const commitBlock = spool.get(root)
    if (commitBlock === undefined) throw new DomainError('invalid', 'the commit is not in the archive')
    const brought = decodeCommit(commitBlock)
    if (brought.did !== owner.did)
      throw new DomainError('invalid', `the archive is of the repository ${brought.did}`)
    return await this.#places.run(() => this.#replace(owner, brought, spool))
  }

  /** Fills a repository with what the spool holds and gives it to the account. */
  async #replace(owner: RepoOwner, brought: Commit, spool: BlockSpool): Promise<CommitRef> {
    const old = this.#store.repos.head(owner.id)
    if (old === undefined) throw repoNotFound(owner.did)

    const rev = this.#clock.next(revAbove(old.rev, brought.rev))
    const id = await this.#store.db.write((tx) => {
      const id = this.#store.imports.begin(tx)
      this.#filling.add(id)
      return id
    })
    try {
      await this.#fill(id, rev, rowsOf(spool, brought.data))
      return await this.#store.db.write((tx) => this.#finish(tx, owner, { id, rev, data: brought.data }, old))
    } finally {
      this.#filling.delete(id)
    }
  }

  async #fill(id: number, rev: string, rows: Iterator<Row>): Promise<void> {
    const { db, imports } = this.#store
    const underWay: Promise<void>[] = []
    try {
      for (let step = take(rows); step.length > 0; step = take(rows)) {
        const room = this.#disk.claim(this.#folder, bytesOf(step))
        if (room !== undefined) await room
        const written = db.write((tx) => {
          for (const row of step) {
            if (row.kind === 'node') imports.addNode(tx, id, row.cid, rev, row.block)
            else imports.addRecord(tx, id, rev, row.record, row.blobs)
          }
        })
        // It is waited for below, perhaps after others.
        written.catch(() => undefined)
        underWay.push(written)
        if (underWay.length > STEPS_AHEAD_MAX) await underWay.shift()
        // Others have their turn, too.
        else await new Promise(setImmediate)
      }
    } finally {
      // Nothing more is written to the repository when this is left, whichever way.
      await Promise.allSettled(underWay)
    }
    await Promise.all(underWay)
  }

  #finish(
    tx: Tx,
    owner: RepoOwner,
    { id, rev, data }: { id: number; rev: string; data: Cid },
    old: RepoHead,
  ): CommitRef {
    const { repos, imports, accounts } = this.#store
    const head = repos.head(owner.id)
    if (head === undefined) throw repoNotFound(owner.did)
    if (head.commit !== old.commit) throw new SwapMismatchError('Commit', head.commit)
    const commit = signCommit({ did: owner.did, data, rev, prev: null }, this.#keys.of(owner.id))
    imports.finish(tx, owner.id, { id, rev, data, commit: commit.cid, commitBlock: commit.block }, old.id)
    const account = accounts.byDid(owner.did)
    // Of an account that is not active, its activation tells.
    if (account !== undefined && account.deactivatedAt === null && account.takedownRef === null) {
      const blocks = writeCar(commit.cid, [[commit.cid, commit.block]])
      this.#firehose.append(tx, owner.id, { kind: 'sync', did: owner.did, rev, blocks })
    }
    return { cid: commit.cid, rev }
  }

  async #clearWhileAsked(): Promise<void> {
    try {
      while (this.#toClear && !this.#disposed) {
        this.#toClear = false
        await this.#clearAll()
      }
    } catch (error) {
      this.#log.error(
        {
          err: error,
          todo: 'look at the error: the database may be full or damaged; the next start tries again',
        },
        'left-over repositories were not cleared away',
      )
    } finally {
      this.#clearing = undefined
    }
  }

  async #clearAll(): Promise<void> {
    const { db, imports } = this.#store
    for (const id of imports.loose()) {
      const unread = this.#exports.untilUnread(id)
      if (unread !== undefined) {
        void unread.then(() => this.clearLoose())
        continue
      }
      for (let done = this.#filling.has(id); !done && !this.#disposed; ) {
        done = await db.write((tx) => imports.clear(tx, id, CLEARED_ROWS_MAX))
      }
    }
  }
}

/** Spools an archive. @returns its root */
async function receive(archive: AsyncIterable<Uint8Array>, spool: BlockSpool): Promise<Cid> {
  const reader = new CarReader()
  for await (const chunk of archive) {
    const sections = reader.push(chunk)
    for (const { cid, block } of sections) {
      const written = spool.add(cid, block)
      if (written !== undefined) await written
    }
  }
  reader.end()
  await spool.finish()
  const [root, ...others] = reader.roots ?? []
  if (root === undefined || others.length > 0) throw new DomainError('invalid', 'expected one root')
  return root
}

/** The revision that ours must be above. */
function revAbove(own: string, brought: string): string {
  const isCredible = microsOfTid(brought) <= (Date.now() + REV_AHEAD_MS_MAX) * 1000
  return isCredible && brought > own ? brought : own
}

/** The rows of the repository whose tree has this root: each node before what is below it, records in the order of their keys. */
function* rowsOf(spool: BlockSpool, root: Cid): Generator<Row> {
  let read: { cid: Cid; block: Buffer } | undefined
  const source = {
    node(cid: Cid) {
      const block = read?.cid === cid ? read.block : spool.get(cid)
      if (block === undefined) throw new MissingNodeError(cid)
      read = { cid, block }
      return decodeNode(block)
    },
  }
  let collection = ''
  const cursor = new Cursor(source, root)
  while (cursor.at !== null) {
    if (typeof cursor.at === 'string') {
      const cid = cursor.at
      cursor.enter()
      yield { kind: 'node', cid, block: read?.block as Buffer }
      continue
    }
    const { key, value } = cursor.at
    if (layerOf(key) !== cursor.layer + 1)
      throw new DomainError('invalid', `the key ${key} is on a wrong layer`)
    cursor.next()
    const slash = key.indexOf('/')
    if (!(key.startsWith(collection) && collection.length === slash)) {
      collection = key.slice(0, slash)
      if (!isValidNsid(collection)) throw new DomainError('invalid', `Not a collection: ${collection}`)
    }
    yield recordOf(collection, key.slice(slash + 1), value, spool.get(value))
  }
}

function recordOf(collection: string, rkey: string, cid: Cid, block: Buffer | undefined): Row {
  const fault = (why: string) =>
    new DomainError('invalid', `Could not parse record at '${collection}/${rkey}': ${why}`)
  // That it has the right characters was looked at with its node.
  if (rkey === '.' || rkey === '..' || rkey.length > RECORD_KEY_CHARACTERS_MAX)
    throw fault('not a record key')
  if (block === undefined) throw fault('it is not in the archive')
  if (isRawCid(cid)) throw fault('not DAG-CBOR')
  let value: CborValue
  try {
    value = decodeRecord(block)
  } catch (error) {
    throw error instanceof CborError ? fault(error.message) : error
  }
  if (!isMap(value)) throw fault('not a map')
  return {
    kind: 'record',
    record: { collection, rkey, cid, block, subject: subjectOf(value) },
    blobs: blobsOf(value),
  }
}

/** The rows of the next step; none at the end. */
function take(rows: Iterator<Row>): Row[] {
  const step: Row[] = []
  let bytes = 0
  while (step.length < STEP_ROWS_MAX && bytes < STEP_BYTES_MAX) {
    const next = rows.next()
    if (next.done) break
    step.push(next.value)
    bytes += blockOf(next.value).length
  }
  return step
}

const blockOf = (row: Row): Buffer | Uint8Array => (row.kind === 'node' ? row.block : row.record.block)

function bytesOf(step: readonly Row[]): number {
  return step.reduce((bytes, row) => bytes + blockOf(row).length, 0)
}

function isFaultOfArchive(error: unknown): error is Error {
  return (
    error instanceof CarError ||
    error instanceof CommitError ||
    error instanceof InvalidNodeError ||
    error instanceof MissingNodeError
  )
}
