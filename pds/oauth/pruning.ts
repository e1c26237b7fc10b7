/**
 * Clears away, in the background, what sign-ins leave behind: requests, sessions and browsers that
 * nobody comes back with.
 */

import { LEXICON_REFRESH_FREQUENCY, REFRESH_LIFETIME_EXTENDED } from '@atproto/oauth-provider/constants'
import { BackgroundTask } from '#platform/background-task.ts'
import type { Logger } from '#platform/log.ts'
import type { Tx } from '#platform/sqlite.ts'
import { DAY_MS, MINUTE_MS } from '#platform/time.ts'
import type { Store } from '../store/store.ts'

const INTERVAL_MS = 10 * MINUTE_MS
/** Rows that one transaction deletes of a table. */
const ROWS_MAX = 100
/** How long requests that are over are kept, so that whoever comes late is told so. */
const REQUEST_GRACE_MINUTES = 10
/** A browser that nobody opened a page with for so long is forgotten, and signed out. */
const DEVICE_UNSEEN_DAYS = 180

export class OAuthPruning implements AsyncDisposable {
  readonly #store: Store
  readonly #task: BackgroundTask

  constructor(store: Store, log: Logger) {
    this.#store = store
    this.#task = new BackgroundTask(() => this.prune(), {
      log,
      failure: {
        message: 'old sign-ins could not be cleared away',
        todo: 'look at the error: the database may be full or damaged; it is tried again',
      },
      retryMs: INTERVAL_MS,
    })
  }

  /** Begins now, and again some time after it has ended. */
  start(): void {
    void this.#task.run()
  }

  /** Clears away what is over by now. @returns when to do it again */
  async prune(): Promise<number> {
    const { oauthRequests, oauthTokens, devices, lexicons } = this.#store
    const ago = (ms: number) => new Date(Date.now() - ms).toISOString()
    const requestsBefore = ago(REQUEST_GRACE_MINUTES * MINUTE_MS)
    await this.#each((tx) => oauthRequests.deleteExpired(tx, requestsBefore, ROWS_MAX))
    const tokensBefore = ago(REFRESH_LIFETIME_EXTENDED)
    await this.#each((tx) => oauthTokens.deleteUnused(tx, tokensBefore, ROWS_MAX))
    const devicesBefore = ago(DEVICE_UNSEEN_DAYS * DAY_MS)
    await this.#each((tx) => devices.deleteUnseen(tx, devicesBefore, ROWS_MAX))
    const lexiconsBefore = ago(LEXICON_REFRESH_FREQUENCY)
    await this.#each((tx) => lexicons.deleteNeverFound(tx, lexiconsBefore, ROWS_MAX))
    return INTERVAL_MS
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#task[Symbol.asyncDispose]()
  }

  /** Deletes a few at a time until there are no more. */
  async #each(deleteSome: (tx: Tx) => number): Promise<void> {
    while (!this.#task.signal.aborted && (await this.#store.db.write(deleteSome)) === ROWS_MAX);
  }
}
