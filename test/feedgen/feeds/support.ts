/** Feeds for tests, evaluated in this process. */
import type { Facts } from '../../../feedgen/engine/index-queries.ts'
import { type Job, run, type Shown } from '../../../feedgen/engine/jobs.ts'
import { type BuiltInFeed, builtInFeeds } from '../../../feedgen/feeds/built-in.ts'
import type { FeedAlgorithm } from '../../../feedgen/feeds/feed-algorithm.ts'
import { Hiding } from '../../../feedgen/feeds/hiding.ts'
import type { Feed } from '../../../feedgen/feeds/page.ts'
import { PostUris } from '../../../feedgen/feeds/post-uris.ts'
import { Lists } from '../../../feedgen/feeds/ranked-lists.ts'
import { type FeedDeps, servePage } from '../../../feedgen/feeds/serving.ts'
import { Visibility } from '../../../feedgen/feeds/visibility.ts'

/**
 * What pages are made of, over facts; lists are fresh for a second. `now` is the time for the
 * engine alone.
 */
export function feedDeps(facts: Facts, { now }: { now?: () => number } = {}): FeedDeps {
  return {
    facts,
    evaluator: {
      run: (job: Job) => run(now ? { ...job, now: now() } : job, facts),
    } as unknown as FeedDeps['evaluator'],
    lists: new Lists<Shown>({ freshMs: 1000, staleMsMax: 2000, itemsMax: 100_000 }),
    visibility: new Visibility(facts),
    hiding: new Hiding(facts, now),
    uris: new PostUris(facts),
  }
}

/** The feed of an algorithm. */
export function feedOf(algorithm: FeedAlgorithm, deps: FeedDeps): Feed {
  return (request) => servePage(algorithm, request, deps, async () => undefined)
}

export function builtIn(rkey: string): BuiltInFeed {
  const feed = builtInFeeds.find((feed) => feed.rkey === rkey)
  if (feed === undefined) throw new Error(`there is no built-in feed ${rkey}`)
  return { ...feed }
}
