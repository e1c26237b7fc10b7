/**
 * Relays are told that there is something to fetch: that is how a new host becomes known to the
 * network, and one that was away is found again.
 */

import { setTimeout as delay } from 'node:timers/promises'
import type { Fetch } from '#platform/fetch.ts'
import type { Logger } from '#platform/log.ts'
import { MINUTE_MS } from '#platform/time.ts'
import type { Firehose } from './firehose.ts'

export interface CrawlersOptions {
  /** The URLs of the relays. */
  readonly urls: readonly string[]
  /** The host that they are asked to crawl: this one. */
  readonly hostname: string
  readonly fetch: Fetch
  readonly log: Logger
  /** How often relays are asked at most. */
  readonly pause?: (signal: AbortSignal) => Promise<unknown>
}

const PAUSE_MINUTES = 20

export class Crawlers implements AsyncDisposable {
  readonly #options: CrawlersOptions
  readonly #stop = new AbortController()
  readonly #running: Promise<void>

  /** Asks the relays when the firehose has something new, until it is disposed of. */
  constructor(firehose: Pick<Firehose, 'news'>, options: CrawlersOptions) {
    this.#options = options
    this.#running = options.urls.length === 0 ? Promise.resolve() : this.#run(firehose)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async #run(firehose: Pick<Firehose, 'news'>): Promise<void> {
    const { pause = pauseMinutes } = this.#options
    const { signal } = this.#stop
    const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
    let news = firehose.news()
    for (;;) {
      await Promise.race([news, stopped])
      if (signal.aborted) return
      // Asked for before the pause, so that what comes meanwhile is told at its end.
      news = firehose.news()
      await Promise.all(this.#options.urls.map((url) => this.#ask(url)))
      await pause(signal)
    }
  }

  async #ask(url: string): Promise<void> {
    const { hostname, fetch, log } = this.#options
    try {
      const response = await fetch(new URL('/xrpc/com.atproto.sync.requestCrawl', url), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ hostname }),
        signal: this.#stop.signal,
      })
      await response.body?.cancel()
      if (!response.ok)
        log.warn(
          {
            url,
            status: response.status,
            todo: 'see whether PDS_CRAWLERS names the relay and whether it reaches PDS_HOSTNAME',
          },
          'a relay refused to crawl',
        )
    } catch (error) {
      if (!this.#stop.signal.aborted)
        log.warn(
          {
            err: error,
            url,
            todo: 'see whether PDS_CRAWLERS is right and the relay can be reached from here; it is asked again',
          },
          'a relay could not be asked to crawl',
        )
    }
  }
}

const pauseMinutes = (signal: AbortSignal): Promise<unknown> =>
  delay(PAUSE_MINUTES * MINUTE_MS, undefined, { signal, ref: false }).catch(() => undefined)
