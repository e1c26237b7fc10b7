/**
 * Repositories brought from elsewhere: `importRepo`.
 *
 * The archive is spooled to the disk while it comes, each block checked against its CID. Then its
 * tree is walked in the order of its keys, and checked: every key valid, in order and on its layer,
 * every node and record there and well formed. What is read goes in small transactions into a
 * repository that nobody sees. The last transaction gives that repository to the account, under a
 * commit of our own: until then the account has its old repository, and from then on the new one,
 * whole. Whatever ends the import before that leaves rows that are nobody's; they are cleared away,
 * and the archive can be sent again.
 *
 * The archive's signature is not looked at: its owner brings it, and what counts is ours, which the
 * identity's document names.
 */

import { BackgroundTask } from '#platform/background-task.ts'
import { DomainError } from '#platform/errors.ts'
import { Turns } from '#platform/keyed-mutex.ts'
import type { Logger } from '#platform/log.ts'
import { makePrivateFolder } from '#platform/private-files.ts'
import { Slots } from '#platform/semaphore.ts'
import type { Tx } from '#platform/sqlite.ts'
import { MINUTE_MS } from '#platform/time.ts'
import { CarError, writeCar } from '#protocol/car.ts'
import type { Cid } from '#protocol/cid.ts'
import { type Commit, CommitError, decodeCommit, signCommit } from '#protocol/commit.ts'
import { InvalidNodeError, MissingNodeError } from '#protocol/mst/node.ts'
import { microsOfTid, TidClock } from '#protocol/tid.ts'
import type { Firehose } from '../firehose/firehose.ts'
import type { DiskSpace } from '../limits/disk-space.ts'
import type { RepoHead } from '../store/repos.ts'
import type { Store } from '../store/store.ts'
import { type Row, receive, rowsOf } from './archive.ts'
import { type RepoOwner, repoNotFound, SwapMismatchError } from './errors.ts'
import type { Exports } from './export.ts'
import type { SigningKeys } from './keys/signing-keys.ts'
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

interface Deps {
  readonly store: Store
  readonly firehose: Firehose
  readonly keys: SigningKeys
  readonly exports: Exports
  readonly disk: DiskSpace
}

export class Imports implements AsyncDisposable {
  readonly #deps: Deps
  readonly #folder: string
  readonly #clock = new TidClock()
  /** Imports of one account come one after the other. */
  readonly #turns = new Turns<number>()
  readonly #spools = new Slots(SPOOLS_AT_ONCE_MAX)
  readonly #places = new Slots(IMPORTS_AT_ONCE_MAX)
  /** Repositories that an import fills now, by their ids. */
  readonly #filling = new Set<number>()
  readonly #clearing: BackgroundTask

  /** @param options `folder`: where archives are spooled while they are imported */
  constructor({ log, ...deps }: Deps & { readonly log: Logger }, options: { folder: string }) {
    this.#deps = deps
    this.#folder = options.folder
    this.#clearing = new BackgroundTask((signal) => this.#clearAll(signal), {
      log,
      failure: {
        message: 'left-over repositories were not cleared away',
        todo: 'look at the error: the database may be full or damaged; the next start tries again',
      },
      retryMs: undefined,
    })
  }

  /** Clears away what an earlier process did not finish. */
  async open(): Promise<void> {
    makePrivateFolder(this.#folder)
    await BlockSpool.clear(this.#folder)
    this.clearLoose()
  }

  /**
   * Makes an archive (a CAR file) the account's repository; resolves once that is durable. Imports
   * of one account come one after the other.
   * @throws DomainError; SwapMismatchError when the repository was written to meanwhile; what the
   * archive throws; then nothing has changed
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
    void this.#clearing.run()
  }

  /** Ends clearing after the step that is under way; the next start goes on with it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#clearing[Symbol.asyncDispose]()
  }

  async #import(owner: RepoOwner, archive: AsyncIterable<Uint8Array>): Promise<CommitRef> {
    await using spool = await BlockSpool.open(this.#folder, this.#deps.disk)
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
    const old = this.#deps.store.repos.head(owner.id)
    if (old === undefined) throw repoNotFound(owner.did)

    const rev = this.#clock.next(revAbove(old.rev, brought.rev))
    const id = await this.#deps.store.db.write((tx) => {
      const id = this.#deps.store.imports.begin(tx)
      this.#filling.add(id)
      return id
    })
    try {
      await this.#fill(id, rev, rowsOf(spool, brought.data))
      return await this.#deps.store.db.write((tx) =>
        this.#finish(tx, owner, { id, rev, data: brought.data }, old),
      )
    } finally {
      this.#filling.delete(id)
    }
  }

  async #fill(id: number, rev: string, rows: Iterator<Row>): Promise<void> {
    const { db, imports } = this.#deps.store
    const underWay: Promise<void>[] = []
    try {
      for (let step = take(rows); step.length > 0; step = take(rows)) {
        const room = this.#deps.disk.claim(this.#folder, bytesOf(step))
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
    const { repos, imports, accounts } = this.#deps.store
    const head = repos.head(owner.id)
    if (head === undefined) throw repoNotFound(owner.did)
    if (head.commit !== old.commit) throw new SwapMismatchError('Commit', head.commit)
    const commit = signCommit({ did: owner.did, data, rev, prev: null }, this.#deps.keys.of(owner.id))
    imports.finish(tx, owner.id, { id, rev, data, commit: commit.cid, commitBlock: commit.block }, old.id)
    const account = accounts.byDid(owner.did)
    // Of an account that is not active, its activation tells.
    if (account !== undefined && account.deactivatedAt === null && account.takedownRef === null) {
      const blocks = writeCar(commit.cid, [[commit.cid, commit.block]])
      this.#deps.firehose.append(tx, owner.id, { kind: 'sync', did: owner.did, rev, blocks })
    }
    return { cid: commit.cid, rev }
  }

  async #clearAll(signal: AbortSignal): Promise<undefined> {
    const { db, imports } = this.#deps.store
    for (const id of imports.loose()) {
      const unread = this.#deps.exports.untilUnread(id)
      if (unread !== undefined) {
        void unread.then(() => this.clearLoose())
        continue
      }
      for (let done = this.#filling.has(id); !done && !signal.aborted; ) {
        done = await db.write((tx) => imports.clear(tx, id, CLEARED_ROWS_MAX))
      }
    }
  }
}

/** The revision that ours must be above. */
function revAbove(own: string, brought: string): string {
  const isCredible = microsOfTid(brought) <= (Date.now() + REV_AHEAD_MS_MAX) * 1000
  return isCredible && brought > own ? brought : own
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
