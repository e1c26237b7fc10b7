/**
 * What is fetched, in the background, because the firehose does not bring it: a viewer's past when
 * he is first seen, whole repositories that changed in ways no event told, profiles of authors, and
 * what definitions speak of. All within bounds, from the servers that the accounts are at.
 */

import { type Logger, logger } from '#platform/log.ts'
import { pause } from '#platform/retry.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '#platform/time.ts'
import { Wakeup } from '#platform/wakeup.ts'
import type { Definition } from '../algorithm/definition.ts'
import type { Pending } from '../index/pending.ts'
import { fetchNeeds } from './definitions.ts'
import { type FollowersOptions, fetchFollowers } from './followers.ts'
import { Jobs } from './jobs.ts'
import { fetchList } from './lists.ts'
import { fetchMutuals } from './mutuals.ts'
import { needsOf } from './needs.ts'
import { Past, type PastOptions } from './repo-backfill.ts'
import { fetchViewer } from './viewers.ts'

type PendingWork = Pick<
  Pending,
  | 'viewers'
  | 'viewerAsked'
  | 'viewerFetched'
  | 'blockedLists'
  | 'listRead'
  | 'jumped'
  | 'authorsWithoutProfile'
  | 'mutualsWanted'
  | 'mutualsRead'
  | 'followsUnread'
  | 'viewersAmong'
  | 'followsTried'
>

export interface BackfillOptions extends PastOptions {
  pending: PendingWork
  /** The AppView that is asked who follows accounts, unless nobody is. */
  appview?: Pick<FollowersOptions, 'url' | 'fetch'>
}

/**
 * How long nothing is looked for when nobody says that there is something: other processes cannot
 * say it.
 */
const lookEveryMs = 1000
/** Of each kind, at one look. */
const foundMax = 100
/** For so long nothing is tried again that failed; doubled by each failure in a row. */
const FAILURE_AGE_MS = 10 * MINUTE_MS
const FAILURE_AGE_MS_MAX = 6 * HOUR_MS
/** After this long what definitions speak of is looked through for what could not be fetched. */
const NEEDS_AGAIN_MS = 10 * MINUTE_MS
const failuresRememberedMax = 10_000
/**
 * Of lists at one look: as many as cannot be fetched at all must not stand in the way of the
 * others.
 */
const blockedListsMax = 2000

/** For so long nobody looks again who follows a viewer back. */
const MUTUALS_AGE_MS = DAY_MS

/**
 * Accounts in all definitions together of which it is looked up who follows them back: each costs
 * as much as a viewer.
 */
export const MUTUALS_OF_MAX = 100

const jobsOptions = { atOnceMax: 8, jobsMax: 2000, triesMax: 3 }
/** Each has a whole repository in memory, and none of them keeps other work waiting. */
const repositoryJobsOptions = { atOnceMax: 1, jobsMax: 200, triesMax: 3 }
/** Each asks one AppView many times. */
const followersJobsOptions = { atOnceMax: 1, jobsMax: 100, triesMax: 3 }
/** Each asks after many accounts. */
const mutualsJobsOptions = { atOnceMax: 2, jobsMax: 200, triesMax: 3 }

interface Failure {
  readonly at: number
  readonly count: number
}

export class Backfill implements AsyncDisposable {
  readonly #pending: PendingWork
  readonly #past: Past
  readonly #jobs = new Jobs(jobsOptions)
  readonly #repositories = new Jobs(repositoryJobsOptions)
  readonly #mutuals = new Jobs(mutualsJobsOptions)
  readonly #followers = new Jobs(followersJobsOptions)
  readonly #followersOptions: FollowersOptions | undefined
  readonly #stopping = new AbortController()
  readonly #woken = new Wakeup()
  readonly #log: Logger = logger('backfill')
  readonly #looking: Promise<void>
  /** How often jobs failed in a row and when last, by their names. */
  readonly #failures = new Map<string, Failure>()
  readonly #fetched = new Set<string>()
  /** What definitions speak of. */
  #wanted: Definition[] = []
  #wantedAt = 0
  /** Accounts whose mutuals definitions name, and that were not asked after yet. */
  #mutualsOf: string[] = []
  #jumpedAfter = 0
  #profilesAfter = 0

  constructor(options: BackfillOptions) {
    this.#pending = options.pending
    this.#past = new Past(options)
    this.#followersOptions = options.appview && { ...options.appview, index: options.index }
    this.#looking = this.#lookForEver()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort()
    this.#woken.wake()
    await Promise.all(
      [this.#jobs, this.#repositories, this.#mutuals, this.#followers].map((jobs) =>
        jobs[Symbol.asyncDispose](),
      ),
    )
    await this.#looking
  }

  /** Says that there may be something to fetch. */
  wake(): void {
    this.#woken.wake()
  }

  /**
   * Fetches what the definitions speak of, unless that was done; what fails is tried again until
   * others are wanted.
   */
  want(definitions: Iterable<Definition>): void {
    this.#wanted = [...definitions]
    this.#fetchWanted()
  }

  #fetchWanted(): void {
    this.#wantedAt = Date.now()
    const named = new Set(this.#wanted.flatMap((definition) => [...needsOf(definition).mutualsOf]))
    this.#mutualsOf = [...named].slice(0, MUTUALS_OF_MAX)
    if (named.size > MUTUALS_OF_MAX)
      this.#log.warn(
        {
          named: named.size,
          limit: MUTUALS_OF_MAX,
          todo: 'publish fewer definitions with the mutuals of fixed accounts; those beyond the limit have the ones that the stream brought',
        },
        'definitions name the mutuals of too many accounts',
      )
    this.#woken.wake()
    const options = this.#followersOptions
    const followers = options && {
      jobs: this.#followers,
      fetch: (did: string, signal: AbortSignal) => fetchFollowers(options, did, signal),
    }
    const context = { past: this.#past, jobs: this.#jobs, fetched: this.#fetched, followers }
    for (const definition of this.#wanted) fetchNeeds(needsOf(definition), context)
  }

  async #lookForEver(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      const woken = this.#woken.next()
      try {
        await this.#look()
      } catch (error) {
        if (!signal.aborted)
          this.#log.error(
            { err: error, todo: 'see whether the database answers and the disk has room; it is tried again' },
            'the index cannot be read',
          )
      }
      await Promise.race([woken, pause(lookEveryMs, signal)])
    }
  }

  async #look(): Promise<void> {
    const pending = this.#pending
    const context = { past: this.#past, pending }
    if (Date.now() - this.#wantedAt > NEEDS_AGAIN_MS) this.#fetchWanted()
    // It is found out in the same way as for a viewer, and for both at once.
    for (let did = this.#mutualsOf.pop(); did !== undefined; did = this.#mutualsOf.pop())
      await pending.viewerAsked(did, { mutuals: true })
    for (const did of await pending.viewers(foundMax)) {
      this.#start(`viewer ${did}`, async (signal) => {
        await fetchViewer(context, did, signal)
        if (!signal.aborted) await pending.viewerFetched(did)
      })
    }
    for (const did of await pending.mutualsWanted(foundMax, Date.now() - MUTUALS_AGE_MS)) {
      const work = async (signal: AbortSignal) => {
        if (await fetchMutuals(context, did, signal)) await pending.mutualsRead(did)
      }
      this.#start(`mutuals of ${did}`, work, { jobs: this.#mutuals })
    }
    for (const uri of await pending.blockedLists(blockedListsMax)) {
      this.#start(`blocked list ${uri}`, async (signal) => {
        await fetchList(this.#past, uri, signal)
        if (!signal.aborted) await pending.listRead(uri)
      })
    }
    const jumped = await pending.jumped(foundMax, this.#jumpedAfter)
    // Those that cannot be fetched now must not stand in the way of the others.
    this.#jumpedAfter = jumped.length === foundMax ? (jumped.at(-1)?.id ?? 0) : 0
    const repositories = { jobs: this.#repositories }
    for (const { did } of jumped)
      this.#start(`repository ${did}`, () => this.#past.repository(did), repositories)
    const authors = await pending.authorsWithoutProfile(foundMax, this.#profilesAfter)
    this.#profilesAfter = authors.length === foundMax ? (authors.at(-1)?.id ?? 0) : 0
    for (const { did } of authors) this.#start(`profile ${did}`, () => this.#past.profile(did))
  }

  /** Runs a job, unless it is under way or failed lately. */
  #start(
    name: string,
    work: (signal: AbortSignal) => Promise<void>,
    { jobs = this.#jobs }: { jobs?: Jobs } = {},
  ): void {
    const failure = this.#failures.get(name)
    if (jobs.has(name) || (failure && Date.now() - failure.at < ageOf(failure))) return
    void jobs.run(name, work).then((outcome) => {
      if (outcome === 'refused') return
      this.#failures.delete(name)
      if (outcome === 'done') return
      const [oldest] = this.#failures.keys()
      if (this.#failures.size >= failuresRememberedMax && oldest !== undefined) this.#failures.delete(oldest)
      this.#failures.set(name, { at: Date.now(), count: (failure?.count ?? 0) + 1 })
    })
  }
}

/** How long nothing is tried after a failure: what can never be had costs less and less. */
function ageOf({ count }: Failure): number {
  return Math.min(FAILURE_AGE_MS * 2 ** (count - 1), FAILURE_AGE_MS_MAX)
}
