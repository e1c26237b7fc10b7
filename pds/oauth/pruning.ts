/** Clears away, in the background, what sign-ins leave behind: requests, sessions and browsers that nobody comes back with. */

import { LEXICON_REFRESH_FREQUENCY, REFRESH_LIFETIME_EXTENDED } from '@atproto/oauth-provider/constants'
import type { Logger } from '#platform/log.ts'
import type { Tx } from '#platform/sqlite.ts'
import { DAY_MS, MINUTE_MS } from '#platform/time.ts'
import type { Store } from '../store/store.ts'

const INTERVAL_MINUTES = 10
/** Rows that one transaction deletes of a table. */
const ROWS_MAX = 100
/** How long requests that are over are kept, so that whoever comes late is told so. */
const REQUEST_GRACE_MINUTES = 10
/** A browser that nobody opened a page with for so long is forgotten, and signed out. */
const DEVICE_UNSEEN_DAYS = 180

export class OAuthPruning implements AsyncDisposable {
  readonly #store: Store
  readonly #log: Logger
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #ended = false

  constructor(store: Store, log: Logger) {
    this.#store = store
    this.#log = log
  }

  /** Begins now, and again some time after it has ended. */
  start(): void {
    this.#running = this.#run()
  }

  /** Clears away what is over by now. */
  async prune(): Promise<void> {
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
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true
    clearTimeout(this.#timer)
    await this.#running
  }

  async #run(): Promise<void> {
    try {
      await this.prune()
    } catch (error) {
      this.#log.error(
        { err: error, todo: 'look at the error: the database may be full or damaged; it is tried again' },
        'old sign-ins could not be cleared away',
      )
    }
    if (this.#ended) return
    this.#timer = setTimeout(() => this.start(), INTERVAL_MINUTES * MINUTE_MS)
    this.#timer.unref()
  }

  /** Deletes a few at a time until there are no more. */
  async #each(deleteSome: (tx: Tx) => number): Promise<void> {
    while (!this.#ended && (await this.#store.db.write(deleteSome)) === ROWS_MAX);
  }
}
