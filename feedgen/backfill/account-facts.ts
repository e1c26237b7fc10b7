/**
 * Reads from an AppView how old accounts are and how many followers they have, for definitions that
 * ask. What is read goes into the index; lists are made of it when they are made the next time.
 *
 * The AppView is one server for all, so what it cannot do now keeps everything waiting, with a
 * backoff; but no answer about some accounts keeps the others from theirs. What found no place is
 * wanted again by the next list that lacks it.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { isValidDid } from '@atproto/syntax'
import type { Fetch } from '#platform/fetch.ts'
import { type Logger, logger } from '#platform/log.ts'
import { retryDelay } from '#platform/retry.ts'
import { MINUTE_MS } from '#platform/time.ts'
import { Wakeup } from '#platform/wakeup.ts'
import type { AccountFacts } from '../algorithm/facts.ts'
import { reliableUntil } from '../algorithm/facts.ts'
import type { Pending } from '../index/pending.ts'

export interface AccountsOptions {
  /** Where the AppView is. */
  url: string
  fetch: Fetch
  pending: Pick<Pending, 'accountFacts' | 'keepAccountFacts'>
  /** How old what is known may be. */
  ageMsMax: number
}

/** Who wants to know: a definition that is served, or somebody who tries one. */
export type Wanting = 'served' | 'tried'

/** As many as the method takes. */
const ACCOUNTS_PER_REQUEST_MAX = 25
const REQUESTS_AT_ONCE_MAX = 2
/** Of each kind of those who want to know. */
export const ACCOUNTS_WAITING_MAX = 10_000
/**
 * After each request, so that two at once stay below the 3000 in five minutes that public AppViews
 * allow.
 */
const REQUEST_PAUSE_MS = 250
/** An answer that is no good is asked for so often until the accounts are asked about by halves. */
const TRIES_MAX = 2
/** For so long nobody asks again about an account of which no answer is any good. */
const DROPPED_MS = 10 * MINUTE_MS
/** The longest pause that the AppView may ask for. */
const PAUSE_ASKED_MS_MAX = 5 * MINUTE_MS
const REMEMBERED_MAX = 100_000

/** The AppView refuses the request for what it asks about. */
class RefusedError extends Error {
  override name = 'RefusedError'
}

/** The AppView answers, but not as it should, perhaps for one of the accounts only. */
class AnswerError extends Error {
  override name = 'AnswerError'
}

/** The AppView does not answer now, whatever it is asked. */
class UnavailableError extends Error {
  override name = 'UnavailableError'
  /** How long it asks to be left alone. */
  readonly pauseMs: number

  constructor(message: string, { pauseMs = 0, ...options }: ErrorOptions & { pauseMs?: number } = {}) {
    super(message, options)
    this.pauseMs = pauseMs
  }
}

export class Accounts implements AsyncDisposable {
  readonly #options: AccountsOptions
  readonly #waiting: Record<Wanting, Set<string>> = { served: new Set(), tried: new Set() }
  readonly #underWay = new Set<string>()
  /** Until when accounts are not asked about, in the order in which that was found out. */
  readonly #settled = new Map<string, number>()
  readonly #stopping = new AbortController()
  readonly #woken = new Wakeup()
  readonly #log: Logger = logger('backfill')
  readonly #reading: Promise<unknown>
  /** Requests in a row that came to nothing. */
  #failures = 0

  constructor(options: AccountsOptions) {
    this.#options = options
    this.#reading = Promise.all(Array.from({ length: REQUESTS_AT_ONCE_MAX }, () => this.#readForEver()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort()
    this.#woken.wake()
    await this.#reading
  }

  /** Has accounts asked about whose facts are missing or old; more than may wait are dropped. */
  want(dids: Iterable<string>, by: Wanting): void {
    const waiting = this.#waiting[by]
    const now = Date.now()
    for (const did of dids) {
      if (waiting.size >= ACCOUNTS_WAITING_MAX) break
      if (this.#underWay.has(did) || now < (this.#settled.get(did) ?? 0)) continue
      if (by === 'served') this.#waiting.tried.delete(did)
      if (!this.#waiting.served.has(did)) waiting.add(did)
    }
    if (waiting.size > 0) this.#woken.wake()
  }

  /** How many accounts wait. */
  get waiting(): number {
    return this.#waiting.served.size + this.#waiting.tried.size
  }

  async #readForEver(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      const woken = this.#woken.next()
      const dids = this.#take()
      if (dids.length === 0) await woken
      else await this.#read(dids)
      for (const did of dids) this.#underWay.delete(did)
    }
  }

  /** The next accounts to ask about: half of them by either kind, where both wait. */
  #take(): string[] {
    const { served, tried } = this.#waiting
    const half = ACCOUNTS_PER_REQUEST_MAX >> 1
    const share = Math.max(half, ACCOUNTS_PER_REQUEST_MAX - tried.size)
    const first = [...served].slice(0, share)
    const taken = new Set([...first, ...[...tried].slice(0, ACCOUNTS_PER_REQUEST_MAX - first.length)])
    for (const did of taken) {
      served.delete(did)
      tried.delete(did)
      this.#underWay.add(did)
    }
    return [...taken]
  }

  /**
   * Has the accounts asked about that are not known. While the AppView does not answer it is tried
   * again; where its answers are no good, each half of the accounts is asked about by itself, until
   * those are left that none can be had of.
   */
  async #read(dids: readonly string[], triesMax = TRIES_MAX): Promise<void> {
    const { signal } = this.#stopping
    const left = new Set(dids)
    for (let tries = 1; left.size > 0 && !signal.aborted; ) {
      try {
        await this.#skipKnown(left)
        await this.#ask([...left], left)
      } catch (error) {
        if (signal.aborted) return
        this.#failures++
        this.#log.warn(
          {
            err: error,
            accounts: left.size,
            todo: 'see whether FEEDGEN_APPVIEW_URL is right and answers; it is asked again',
          },
          'what an AppView says of accounts cannot be read',
        )
        await this.#pause(
          Math.max(retryDelay(this.#failures), error instanceof UnavailableError ? error.pauseMs : 0),
        )
        if (!(error instanceof AnswerError) || tries++ < triesMax) continue
        const rest = [...left]
        const middle = rest.length >> 1
        if (middle === 0) return this.#settle(rest[0] as string, Date.now() + DROPPED_MS)
        await this.#read(rest.slice(0, middle), 1)
        return this.#read(rest.slice(middle), 1)
      }
    }
  }

  /** Takes those off `left` of whom enough is known. */
  async #skipKnown(left: Set<string>): Promise<void> {
    const { pending, ageMsMax } = this.#options
    for (const [did, facts] of await pending.accountFacts([...left])) {
      const until = reliableUntil(facts, ageMsMax)
      if (Date.now() >= until) continue
      this.#settle(did, until)
      left.delete(did)
    }
  }

  /**
   * Asks about accounts, and takes those off `left` that there is an answer to. A request that is
   * refused is asked by halves.
   */
  async #ask(dids: readonly string[], left: Set<string>): Promise<void> {
    if (dids.length === 0 || this.#stopping.signal.aborted) return
    try {
      await this.#keep(dids, await this.#request(dids))
      for (const did of dids) left.delete(did)
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error
      if (dids.length === 1) {
        this.#log.info({ did: dids[0], reason: error.message }, 'the AppView refuses to speak of an account')
        await this.#keep(dids, new Map())
        left.delete(dids[0] as string)
        return
      }
      const middle = dids.length >> 1
      await this.#ask(dids.slice(0, middle), left)
      await this.#ask(dids.slice(middle), left)
    }
  }

  /** Keeps what was said, and of the others that nothing was. */
  async #keep(
    dids: readonly string[],
    said: ReadonlyMap<string, Omit<AccountFacts, 'readAt'>>,
  ): Promise<void> {
    const { pending, ageMsMax } = this.#options
    const readAt = Date.now()
    const read = new Map(dids.map((did): [string, AccountFacts] => [did, { ...said.get(did), readAt }]))
    await pending.keepAccountFacts(read)
    for (const [did, facts] of read) this.#settle(did, reliableUntil(facts, ageMsMax))
  }

  async #request(dids: readonly string[]): Promise<Map<string, Omit<AccountFacts, 'readAt'>>> {
    const { url, fetch } = this.#options
    const query = new URLSearchParams(dids.map((did) => ['actors', did]))
    try {
      const response = await fetch(`${url}/xrpc/app.bsky.actor.getProfiles?${query}`, {
        signal: this.#stopping.signal,
        headers: { accept: 'application/json' },
      })
      if (!response.ok) {
        await response.body?.cancel()
        throw errorOf(response)
      }
      const said = profilesIn(await response.json())
      this.#failures = 0
      return said
    } catch (error) {
      if (error instanceof SyntaxError) throw new AnswerError('answered with no JSON', { cause: error })
      if (error instanceof Error && OWN_ERRORS.has(error.name)) throw error
      throw new UnavailableError('did not answer', { cause: error })
    } finally {
      await this.#pause(REQUEST_PAUSE_MS)
    }
  }

  #settle(did: string, until: number): void {
    const [oldest] = this.#settled.keys()
    if (this.#settled.size >= REMEMBERED_MAX && oldest !== undefined) this.#settled.delete(oldest)
    this.#settled.delete(did)
    this.#settled.set(did, until)
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stopping.signal }).catch(() => undefined)
  }
}

const OWN_ERRORS = new Set(['RefusedError', 'AnswerError', 'UnavailableError'])
/** What servers and the proxies before them answer when it is not about the request. */
const UNAVAILABLE = new Set([408, 425, 429, 502, 503, 504])

function errorOf(response: Response): Error {
  const { status } = response
  if (status === 400) return new RefusedError('refused with the status 400')
  const message = `answered with the status ${status}`
  if (UNAVAILABLE.has(status)) return new UnavailableError(message, { pauseMs: pauseAsked(response) })
  return new AnswerError(message)
}

/** What an answer says of accounts; what is malformed in it is as if it were not said. */
function profilesIn(answer: unknown): Map<string, Omit<AccountFacts, 'readAt'>> {
  const { profiles } = (answer ?? {}) as { profiles?: unknown }
  if (!Array.isArray(profiles)) throw new AnswerError('answered without profiles')
  return new Map(
    profiles.flatMap((profile: unknown) => {
      const { did, createdAt, followersCount } = (profile ?? {}) as Record<string, unknown>
      if (typeof did !== 'string' || !isValidDid(did)) return []
      const at = typeof createdAt === 'string' ? Date.parse(createdAt) : Number.NaN
      const isCount = Number.isSafeInteger(followersCount) && (followersCount as number) >= 0
      return [
        [
          did,
          {
            createdAt: Number.isFinite(at) ? at : undefined,
            followers: isCount ? (followersCount as number) : undefined,
          },
        ],
      ]
    }),
  )
}

/** How long the AppView asks to be left alone. */
function pauseAsked({ headers }: Response): number {
  const [after, reset] = ['retry-after', 'ratelimit-reset'].map((name) =>
    Number(headers.get(name) ?? Number.NaN),
  )
  const ms = after && after > 0 ? after * 1000 : reset && reset > 0 ? reset * 1000 - Date.now() : 0
  return Math.min(Math.max(0, ms), PAUSE_ASKED_MS_MAX)
}
