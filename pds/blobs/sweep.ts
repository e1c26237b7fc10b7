/** Clears blobs away: those that no record refers to, and bytes that are no blob's. */
import { BackgroundTask } from '#platform/background-task.ts'
import type { Turns } from '#platform/keyed-mutex.ts'
import type { Logger } from '#platform/log.ts'
import { HOUR_MS } from '#platform/time.ts'
import { type Cid, formatCid } from '#protocol/cid.ts'
import type { BlobPlace } from '../store/blobs.ts'
import type { Store } from '../store/store.ts'
import type { BlobFiles } from './files.ts'

/** How long a blob that no record refers to is kept after its upload. */
const UNREFERENCED_HOURS_MAX = 24
/** Blobs that one step looks at, or removes. */
const STEP_BLOBS_MAX = 500

interface Deps {
  readonly store: Store
  readonly files: BlobFiles
  /** A blob's bytes are put or removed by one at a time, each under `keyOf`. */
  readonly turns: Turns<string>
}

export class BlobSweep implements AsyncDisposable {
  readonly #deps: Deps
  readonly #task: BackgroundTask
  /** The time that the next run takes for the present; undefined: the clock's. */
  #now: number | undefined

  constructor({ log, ...deps }: Deps & { readonly log: Logger }) {
    this.#deps = deps
    this.#task = new BackgroundTask(() => this.#sweep(), {
      log,
      failure: {
        message: 'unreferenced blobs were not cleared away',
        todo: 'see whether the blob folder or bucket can be written; it is tried again within the hour',
      },
      retryMs: HOUR_MS,
    })
  }

  /**
   * Deletes blobs that no record refers to and that were uploaded some time ago, and removes bytes
   * that are no blob's, all in small steps; and again every hour. A call during a run waits for
   * another run after it.
   * @param now the time, milliseconds since 1970
   */
  run(now?: number): Promise<void> {
    this.#now = now ?? this.#now
    return this.#task.run()
  }

  /** Ends after the step that is under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#task[Symbol.asyncDispose]()
  }

  async #sweep(): Promise<number> {
    const now = this.#now ?? Date.now()
    this.#now = undefined
    await this.#clear(new Date(now - UNREFERENCED_HOURS_MAX * HOUR_MS).toISOString())
    return HOUR_MS
  }

  async #clear(before: string): Promise<void> {
    const { db, blobs } = this.#deps.store
    for (let after: BlobPlace = { account: 0, cid: '' }; !this.#task.signal.aborted; ) {
      const page = blobs.page(after, STEP_BLOBS_MAX)
      const last = page.at(-1)
      if (last === undefined) break
      const old = page.filter((blob) => blob.createdAt < before && blob.takedownRef === null)
      if (old.length > 0) {
        await db.write((tx) => {
          for (const { account, did, cid } of old) {
            if (blobs.isReferenced(account, cid)) continue
            blobs.delete(tx, account, cid)
            blobs.loosen(tx, did, cid)
          }
        })
      } else await new Promise(setImmediate)
      after = last
    }
    await this.#removeLoose()
  }

  async #removeLoose(): Promise<void> {
    const { db, blobs, accounts } = this.#deps.store
    let after: { did: string; cid: Cid | '' } = { did: '', cid: '' }
    while (!this.#task.signal.aborted) {
      const page = blobs.loose(after, STEP_BLOBS_MAX)
      const last = page.at(-1)
      if (last === undefined) return
      for (const { did, cid } of page) {
        if (this.#task.signal.aborted) return
        await this.#deps.turns.run(keyOf(did, cid), async () => {
          const account = accounts.byDid(did)
          if (account === undefined || blobs.get(account.id, cid) === undefined) {
            await this.#deps.files.remove(did, cid)
          }
          await db.write((tx) => blobs.bind(tx, did, cid))
        })
      }
      after = last
    }
  }
}

/** What work on a blob's bytes takes turns by. */
export const keyOf = (did: string, cid: Cid): string => `${did}/${formatCid(cid)}`
