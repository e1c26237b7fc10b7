/**
 * Who asks about algorithms, and what they have left: callers pay by the time that their questions
 * take.
 *
 * What a question costs is known only afterwards, so one is answered while anything is left, and
 * its time is charged when it ends, however it ends. A caller is a network: anybody can make
 * accounts.
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { InvalidRequestError, ResponseType, XRPCError } from '@atproto/xrpc-server'
import { networkOf } from '#platform/network-of.ts'
import { MINUTE_MS } from '#platform/time.ts'
import type { Asker } from '../feeds/inquiries.ts'

/** Time that a caller may use in a minute, and at once after a pause. */
export const ASKED_MS_PER_MINUTE = 20_000
/** Callers whose use is remembered; with more, those who asked longest ago start anew. */
const CALLERS_MAX = 10_000
/**
 * By this header a page says which it is, so that its newer question takes the place of the older.
 */
export const PAGE_HEADER = 'atoll-page'
const PAGE_CHARACTERS_MAX = 64

interface Use {
  readonly ms: number
  /** When it was that much; it becomes less from then on. */
  readonly at: number
}

export class Askers {
  readonly #msPerMinute: number
  readonly #now: () => number
  /** By caller; who asked last comes last. */
  readonly #uses = new Map<string, Use>()

  constructor(msPerMinute = ASKED_MS_PER_MINUTE, now: () => number = () => performance.now()) {
    this.#msPerMinute = msPerMinute
    this.#now = now
  }

  /**
   * Who asks, to be handed on with the question.
   * @throws XRPCError when nothing is left
   */
  of(
    request: IncomingMessage & { ip?: string },
    response: ServerResponse,
    viewer: string | undefined,
  ): Asker {
    const caller = networkOf(request.ip ?? request.socket.remoteAddress)
    if (this.#usedBy(caller) >= this.#msPerMinute) {
      const message = 'your questions took more time than a minute allows; ask again shortly'
      throw new XRPCError(ResponseType.RateLimitExceeded, message)
    }
    const left = new AbortController()
    response.once('close', () => {
      if (!response.writableFinished) left.abort()
    })
    return {
      viewer,
      caller,
      page: pageOf(request),
      signal: left.signal,
      used: (ms) => this.charge(caller, ms),
    }
  }

  /** Charges a caller for time that was used. */
  charge(caller: string, ms: number): void {
    const use = { ms: this.#usedBy(caller) + ms, at: this.#now() }
    this.#uses.delete(caller)
    const [oldest] = this.#uses.keys()
    if (oldest !== undefined && this.#uses.size >= CALLERS_MAX) this.#uses.delete(oldest)
    this.#uses.set(caller, use)
  }

  #usedBy(caller: string): number {
    const use = this.#uses.get(caller)
    if (use === undefined) return 0
    return Math.max(0, use.ms - ((this.#now() - use.at) * this.#msPerMinute) / MINUTE_MS)
  }
}

function pageOf({ headers }: IncomingMessage): string | undefined {
  const page = headers[PAGE_HEADER]
  if (page === undefined || page === '') return undefined
  if (typeof page !== 'string' || page.length > PAGE_CHARACTERS_MAX)
    throw new InvalidRequestError(`${PAGE_HEADER} has more than ${PAGE_CHARACTERS_MAX} characters`)
  return page
}
