/**
 * Forgets what no feed can show any more, in steps so small that events are written in between.
 * Posts go in the order in which they came, with their likes and reposts; one that a definition
 * still has stays until the definition's window has passed over it, and while a definition does not
 * have all of its past yet, everything in its window stays.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { logger } from '#platform/log.ts'
import { HOUR_MS, MINUTE_MS } from '#platform/time.ts'
import type { DefinitionId } from '../algorithm/facts.ts'
import type { Store } from './store.ts'

export interface RetentionOptions {
  /**
   * How long posts are kept that no definition has, and likes and reposts of posts that are not
   * here.
   */
  postHours: number
  /** How long what viewers saw is remembered. */
  seenHours?: number
  /**
   * How long what else viewers let us know is remembered: that they want more or less like a post,
   * that they liked or shared it.
   */
  interactionHours?: number
  /** How long what an AppView said of accounts is kept that nobody asked about again. */
  accountHours?: number
}

/** What pruning one step did, and where the next begins. */
export interface PruneStep {
  removed: number
  /** The post behind which to go on; null at the end. */
  next: number | null
}

const seenHoursDefault = 30 * 24
const interactionHoursDefault = 180 * 24
const accountHoursDefault = 60 * 24
const postsPerStep = 200
const rowsPerStep = 1000
/** Between two steps, so that pruning takes a small part of the writer's time. */
const stepPauseMs = 20
/** Between the end of the posts and the next walk over them. */
const restMs = 10 * MINUTE_MS

export class Retention {
  readonly #store: Store
  readonly #options: Required<RetentionOptions>

  constructor(store: Store, options: RetentionOptions) {
    this.#store = store
    this.#options = {
      seenHours: seenHoursDefault,
      interactionHours: interactionHoursDefault,
      accountHours: accountHoursDefault,
      ...options,
    }
  }

  /**
   * Removes the next posts behind one that are older than is kept and that no definition has.
   * @param options `hoursMin`: for how long all posts are kept in any case
   */
  async prunePosts(after: number, { now = Date.now(), hoursMin = 0 } = {}): Promise<PruneStep> {
    const before = now - Math.max(this.#options.postHours, hoursMin) * HOUR_MS
    return this.#store.transaction(async ({ rows, db }) => {
      const old = await db
        .selectFrom('posts')
        .select('id')
        .where('id', '>', after)
        .where('seen_at', '<', before)
        .orderBy('id')
        .limit(postsPerStep)
        .execute()
      const ids = old.map(({ id }) => id)
      if (ids.length === 0) return { removed: 0, next: null }
      const had = await db.selectFrom('matches').select('post').distinct().where('post', 'in', ids).execute()
      const kept = new Set(had.map(({ post }) => post))
      const gone = ids.filter((id) => !kept.has(id))
      await rows.remove(
        'posts',
        gone.map((id) => ({ id })),
      )
      await rows.remove(
        'records',
        gone.map((post) => ({ post })),
      )
      for (const table of ['likes', 'reposts'] as const)
        await rows.remove(
          table,
          gone.map((subject) => ({ subject })),
        )
      return { removed: gone.length, next: ids.length < postsPerStep ? null : (ids.at(-1) as number) }
    })
  }

  /** Removes matches of a definition with posts made before a time; whether there may be more. */
  async pruneMatches(definition: DefinitionId, before: number): Promise<boolean> {
    return this.#store.transaction(async ({ rows, db }) => {
      let removed = 0
      const tiers = await db
        .selectFrom('matches')
        .select('tier')
        .distinct()
        .where('definition', '=', definition)
        .execute()
      for (const { tier } of tiers) {
        const step = await db
          .selectFrom('matches')
          .select(['post', 'definition'])
          .where('definition', '=', definition)
          .where('tier', '=', tier)
          .where('sort_at', '<', before)
          .limit(rowsPerStep - removed)
          .execute()
        await rows.remove('matches', step)
        removed += step.length
        if (removed >= rowsPerStep) return true
      }
      return false
    })
  }

  /**
   * Removes matches of a definition that is not served; whether there may be more. Served again, it
   * has its past taken in again.
   */
  async pruneWithdrawn(definition: DefinitionId): Promise<boolean> {
    await this.#store.transaction(({ rows }) =>
      rows.update('definitions', ['id'], [{ id: definition, filled_version: null }]),
    )
    return this.pruneMatches(definition, Number.MAX_SAFE_INTEGER)
  }

  /** Removes the oldest of what viewers saw; whether there may be more. */
  async pruneSeen(now = Date.now()): Promise<boolean> {
    const before = now - this.#options.seenHours * HOUR_MS
    return this.#store.transaction(async ({ rows, db }) => {
      const step = await db
        .selectFrom('seen')
        .select(['viewer', 'post'])
        .where('seen_at', '<', before)
        .limit(rowsPerStep)
        .execute()
      await rows.remove('seen', step)
      return step.length === rowsPerStep
    })
  }

  /** Removes the oldest of what else viewers let us know; whether there may be more. */
  async pruneInteractions(now = Date.now()): Promise<boolean> {
    const before = now - this.#options.interactionHours * HOUR_MS
    return this.#store.transaction(async ({ rows, db }) => {
      const step = await db
        .selectFrom('interactions')
        .select('id')
        .where('at', '<', before)
        .limit(rowsPerStep)
        .execute()
      await rows.remove('interactions', step)
      return step.length === rowsPerStep
    })
  }

  /** Removes the oldest of what an AppView said of accounts; whether there may be more. */
  async pruneAccountFacts(now = Date.now()): Promise<boolean> {
    const before = now - this.#options.accountHours * HOUR_MS
    return this.#store.transaction(async ({ rows, db }) => {
      const step = await db
        .selectFrom('account_facts')
        .select('account')
        .where('read_at', '<', before)
        .limit(rowsPerStep)
        .execute()
      await rows.remove('account_facts', step)
      return step.length === rowsPerStep
    })
  }

  /** The definitions that have matches. */
  async definitions(): Promise<DefinitionId[]> {
    const query = this.#store.db.selectFrom('definitions').select('id').orderBy('id')
    return (await query.execute()).map(({ id }) => id)
  }
}

/** What definitions need posts for. */
export interface Needed {
  /**
   * For how long a definition keeps the posts that it has; undefined for one that is not served.
   */
  hoursOf(definition: DefinitionId): number | undefined
  /**
   * For how long all posts are kept, since definitions are served that do not have all of theirs
   * yet.
   */
  hoursUnfilled(): number
}

/** Prunes for ever: a walk over everything, a rest, and again. */
export function keepPruning(
  retention: { [K in keyof Retention]: Retention[K] },
  { hoursOf, hoursUnfilled }: Needed,
): AsyncDisposable {
  const stopping = new AbortController()
  const { signal } = stopping
  const pause = (ms: number) => sleep(ms, undefined, { signal }).catch(() => undefined)

  const walk = async () => {
    for (const definition of await retention.definitions()) {
      const hours = hoursOf(definition)
      const prune = () =>
        hours === undefined
          ? retention.pruneWithdrawn(definition)
          : retention.pruneMatches(definition, Date.now() - hours * HOUR_MS)
      while (!signal.aborted && (await prune())) await pause(stepPauseMs)
    }
    while (!signal.aborted && (await retention.pruneSeen())) await pause(stepPauseMs)
    while (!signal.aborted && (await retention.pruneInteractions())) await pause(stepPauseMs)
    while (!signal.aborted && (await retention.pruneAccountFacts())) await pause(stepPauseMs)
    for (let after: number | null = 0; after !== null && !signal.aborted; await pause(stepPauseMs))
      after = (await retention.prunePosts(after, { hoursMin: hoursUnfilled() })).next
  }
  const ended = (async () => {
    while (!signal.aborted) {
      await walk().catch((error) =>
        logger('index').error(
          { err: error, todo: 'see whether the database answers and the disk has room; it is tried again' },
          'the index cannot be pruned',
        ),
      )
      await pause(restMs)
    }
  })()
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await ended
    },
  }
}
