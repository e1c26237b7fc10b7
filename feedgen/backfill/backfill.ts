/**
 * What is fetched, in the background, because the firehose does not bring it: a viewer's past when he is first seen, whole repositories that changed in ways no event
 * told, profiles of authors, and what definitions speak of. All within bounds, from the servers that the accounts are at.
 */

import { type Logger, logger } from '#platform/log.ts'
import { pause } from '#platform/retry.ts'
import { DAY_MS, MINUTE_MS } from '#platform/time.ts'
import { Wakeup } from '#platform/wakeup.ts'
import type { Definition } from '../algorithm/definition.ts'
import type { Pending } from '../index/pending.ts'
import { fetchNeeds } from './definitions.ts'
import { Jobs } from './jobs.ts'
import { fetchList } from './lists.ts'
import { fetchMutuals } from './mutuals.ts'
import { needsOf } from './needs.ts'
import { Past, type PastOptions } from './repo-backfill.ts'
import { fetchViewer } from './viewers.ts'

type PendingWork = Pick<
  Pending,
  | 'viewers'
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
}

/** How long nothing is looked for when nobody says that there is something: other processes cannot say it. */
const lookEveryMs = 1000
/** Of each kind, at one look. */
const foundMax = 100
/** For so long nothing is tried again that failed. */
const failureAgeMsMax = 10 * MINUTE_MS
const failuresRememberedMax = 10_000
/** Of lists at one look: as many as cannot be fetched at all must not stand in the way of the others. */
const blockedListsMax = 2000

/** For so long nobody looks again who follows a viewer back. */
const MUTUALS_AGE_MS = DAY_MS

const jobsOptions = { atOnceMax: 8, jobsMax: 2000, triesMax: 3 }
/** Each has a whole repository in memory, and none of them keeps other work waiting. */
const repositoryJobsOptions = { atOnceMax: 1, jobsMax: 200, triesMax: 3 }
/** Each asks after many accounts. */
const mutualsJobsOptions = { atOnceMax: 2, jobsMax: 200, triesMax: 3 }

export class Backfill implements AsyncDisposable {
  readonly #pending: PendingWork
  readonly #past: Past
  readonly #jobs = new Jobs(jobsOptions)
  readonly #repositories = new Jobs(repositoryJobsOptions)
  readonly #mutuals = new Jobs(mutualsJobsOptions)
  readonly #stopping = new AbortController()
  readonly #woken = new Wakeup()
  readonly #log: Logger = logger('backfill')
  readonly #looking: Promise<void>
  /** When jobs failed, by their names. */
  readonly #failures = new Map<string, number>()
  readonly #fetched = new Set<string>()
  #jumpedAfter = 0

  constructor(options: BackfillOptions) {
    this.#pending = options.pending
    this.#past = new Past(options)
    this.#looking = this.#lookForEver()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort()
    this.#woken.wake()
    await Promise.all(
      [this.#jobs, this.#repositories, this.#mutuals].map((jobs) => jobs[Symbol.asyncDispose]()),
    )
    await this.#looking
  }

  /** Says that there may be something to fetch. */
  wake(): void {
    this.#woken.wake()
  }

  /** Fetches what the definitions speak of, unless that was done. */
  want(definitions: Iterable<Definition>): void {
    const context = { past: this.#past, jobs: this.#jobs, fetched: this.#fetched }
    for (const definition of definitions) fetchNeeds(needsOf(definition), context)
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
    for (const did of await pending.authorsWithoutProfile(foundMax)) {
      this.#start(`profile ${did}`, () => this.#past.profile(did), {
        failed: () => this.#past.noProfile(did),
      })
    }
  }

  /** Runs a job, unless it is under way or failed lately. */
  #start(
    name: string,
    work: (signal: AbortSignal) => Promise<void>,
    { jobs = this.#jobs, failed }: { jobs?: Jobs; failed?: () => Promise<void> } = {},
  ): void {
    const failedAt = this.#failures.get(name)
    if (jobs.has(name) || (failedAt !== undefined && Date.now() - failedAt < failureAgeMsMax)) return
    this.#failures.delete(name)
    void jobs.run(name, work).then(async (outcome) => {
      if (outcome !== 'failed') return
      const [oldest] = this.#failures.keys()
      if (this.#failures.size >= failuresRememberedMax && oldest !== undefined) this.#failures.delete(oldest)
      this.#failures.set(name, Date.now())
      await failed?.().catch((error) =>
        this.#log.error(
          { err: error, todo: 'see whether the database answers and the disk has room' },
          'the index cannot be written',
        ),
      )
    })
  }
}
