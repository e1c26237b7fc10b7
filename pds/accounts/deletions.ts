/**
 * The end of accounts: on their owner's word, on the operator's, or when their time is up, which `due-accounts.ts` finds out.
 *
 * An account ends in one transaction, which takes its row, its repository's head and its sessions and says so on the firehose: from then on
 * nobody finds it, and its events are told to nobody. What it leaves behind goes step by step, and goes on after a restart; its repository
 * and the bytes of its blobs go the way of others that are nobody's.
 */
import type { Logger } from '#platform/log.ts'
import type { Tx } from '#platform/sqlite.ts'
import type { Blobs } from '../blobs/blobs.ts'
import type { Firehose } from '../firehose/firehose.ts'
import type { Exports } from '../repo/export.ts'
import type { Imports } from '../repo/import.ts'
import type { SigningKeys } from '../repo/keys/signing-keys.ts'
import type { Deletion } from '../store/deletions.ts'
import type { Store } from '../store/store.ts'

/** Rows that one statement deletes, and how long the statements of one transaction may take together. */
const ROWS_MAX = 100
const TX_MS_MAX = 10
/** A failed step is tried again after this. */
const RETRY_SECONDS = 30
/** The account that the last word on a deleted one is filed under: it stays when the account's events go. */
const NOBODY = 0

export class Deletions implements AsyncDisposable {
  readonly #store: Store
  readonly #firehose: Firehose
  readonly #exports: Exports
  readonly #imports: Imports
  readonly #keys: SigningKeys
  readonly #blobs: Pick<Blobs, 'deleteSome'>
  readonly #log: Logger
  #running: Promise<void> | undefined
  #retry: NodeJS.Timeout | undefined
  #ended = false

  constructor(parts: {
    store: Store
    firehose: Firehose
    exports: Exports
    imports: Imports
    keys: SigningKeys
    blobs: Pick<Blobs, 'deleteSome'>
    log: Logger
  }) {
    this.#store = parts.store
    this.#firehose = parts.firehose
    this.#exports = parts.exports
    this.#imports = parts.imports
    this.#keys = parts.keys
    this.#blobs = parts.blobs
    this.#log = parts.log
  }

  /** Goes on with what an earlier process left. */
  start(): void {
    void this.#run()
  }

  /** Ends an account, inside a transaction; its remains go after it. */
  begin(tx: Tx, { id, did }: { id: number; did: string }): void {
    const { accounts, repos, imports, deletions } = this.#store
    const repo = repos.head(id)?.id
    deletions.begin(tx, id, did)
    accounts.delete(tx, id)
    repos.deleteHead(tx, id)
    if (repo !== undefined) imports.abandon(tx, repo)
    this.#store.endSessions(tx, id)
    this.#firehose.append(tx, NOBODY, { kind: 'account', did, active: false, status: 'deleted' })
    tx.afterCommit(() => {
      this.#firehose.forgetPages()
      if (repo !== undefined) this.#exports.stop(repo)
      this.#imports.clearLoose()
      this.#keys.forget(id)
      void this.#run()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true
    clearTimeout(this.#retry)
    await this.#running
  }

  /** Carries out what is under way; resolves when nothing is left, or when it failed and will be tried again. */
  #run(): Promise<void> {
    clearTimeout(this.#retry)
    this.#running ??= this.#carryOutAll().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #carryOutAll(): Promise<void> {
    try {
      for (let next = this.#next(); next !== undefined; next = this.#next()) await this.#carryOut(next)
    } catch (error) {
      if (this.#ended) return
      this.#log.error(
        {
          err: error,
          todo: 'look at the error: the database, or the blob folder or bucket, cannot be written; it is tried again',
        },
        'a deletion did not get on; trying again',
      )
      this.#retry = setTimeout(() => this.#run(), RETRY_SECONDS * 1000)
      this.#retry.unref()
    }
  }

  #next(): Deletion | undefined {
    return this.#ended ? undefined : this.#store.deletions.first()
  }

  /** Deletes what is left of an account, unless the process ends meanwhile. */
  async #carryOut({ account: id, did }: Deletion): Promise<void> {
    const { db, deletions } = this.#store
    for (let isDone = false; !isDone && !this.#ended; ) {
      isDone = await db.write((tx) => {
        const deadline = performance.now() + TX_MS_MAX
        if (!this.#blobs.deleteSome(tx, { id, did }, ROWS_MAX)) return false
        while (deletions.deleteSome(tx, id, ROWS_MAX)) if (performance.now() > deadline) return false
        deletions.end(tx, id)
        return true
      })
    }
  }
}
