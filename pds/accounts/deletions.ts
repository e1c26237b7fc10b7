/**
 * The end of accounts: on their owner's word, on the operator's, or when their time is up, which
 * `due-accounts.ts` finds out.
 *
 * An account ends in one transaction, which takes its row, its repository's head and its sessions
 * and says so on the firehose: from then on nobody finds it, and its events are told to nobody.
 * What it leaves behind goes step by step, and goes on after a restart; its repository and the
 * bytes of its blobs go the way of others that are nobody's.
 */
import { BackgroundTask } from '#platform/background-task.ts'
import type { Logger } from '#platform/log.ts'
import type { Tx } from '#platform/sqlite.ts'
import type { Blobs } from '../blobs/blobs.ts'
import type { Firehose } from '../firehose/firehose.ts'
import type { Exports } from '../repo/export.ts'
import type { Imports } from '../repo/import.ts'
import type { SigningKeys } from '../repo/keys/signing-keys.ts'
import type { Deletion } from '../store/deletions.ts'
import type { Store } from '../store/store.ts'

/**
 * Rows that one statement deletes, and how long the statements of one transaction may take
 * together.
 */
const ROWS_MAX = 100
const TX_MS_MAX = 10
/** A failed step is tried again after this. */
const RETRY_SECONDS = 30
/**
 * The account that the last word on a deleted one is filed under: it stays when the account's
 * events go.
 */
const NOBODY = 0

interface Deps {
  readonly store: Store
  readonly firehose: Firehose
  readonly exports: Exports
  readonly imports: Imports
  readonly keys: SigningKeys
  readonly blobs: Pick<Blobs, 'deleteSome'>
}

export class Deletions implements AsyncDisposable {
  readonly #deps: Deps
  readonly #task: BackgroundTask

  constructor({ log, ...deps }: Deps & { readonly log: Logger }) {
    this.#deps = deps
    this.#task = new BackgroundTask((signal) => this.#carryOutAll(signal), {
      log,
      failure: {
        message: 'a deletion did not get on; trying again',
        todo: 'look at the error: the database, or the blob folder or bucket, cannot be written; it is tried again',
      },
      retryMs: RETRY_SECONDS * 1000,
    })
  }

  /** Goes on with what an earlier process left. */
  start(): void {
    void this.#task.run()
  }

  /** Ends an account, inside a transaction; its remains go after it. */
  begin(tx: Tx, { id, did }: { id: number; did: string }): void {
    const { accounts, repos, imports, deletions } = this.#deps.store
    const repo = repos.head(id)?.id
    deletions.begin(tx, id, did)
    accounts.delete(tx, id)
    repos.deleteHead(tx, id)
    if (repo !== undefined) imports.abandon(tx, repo)
    this.#deps.store.endSessions(tx, id)
    this.#deps.firehose.append(tx, NOBODY, { kind: 'account', did, active: false, status: 'deleted' })
    tx.afterCommit(() => {
      this.#deps.firehose.forgetPages()
      if (repo !== undefined) this.#deps.exports.stop(repo)
      this.#deps.imports.clearLoose()
      this.#deps.keys.forget(id)
      void this.#task.run()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#task[Symbol.asyncDispose]()
  }

  async #carryOutAll(signal: AbortSignal): Promise<undefined> {
    while (!signal.aborted) {
      const next = this.#deps.store.deletions.first()
      if (next === undefined) return
      await this.#carryOut(next, signal)
    }
  }

  /** Deletes what is left of an account, unless the process ends meanwhile. */
  async #carryOut({ account: id, did }: Deletion, signal: AbortSignal): Promise<void> {
    const { db, deletions } = this.#deps.store
    for (let isDone = false; !isDone && !signal.aborted; ) {
      isDone = await db.write((tx) => {
        const deadline = performance.now() + TX_MS_MAX
        if (!this.#deps.blobs.deleteSome(tx, { id, did }, ROWS_MAX)) return false
        while (deletions.deleteSome(tx, id, ROWS_MAX)) if (performance.now() > deadline) return false
        deletions.end(tx, id)
        return true
      })
    }
  }
}
