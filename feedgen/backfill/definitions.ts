/** Fetches what definitions speak of: each thing once in the life of the process. */

import { AtUri } from '@atproto/syntax'
import { DAY_MS } from '#platform/time.ts'
import type { Jobs } from './jobs.ts'
import { fetchList, fetchStarterPack } from './lists.ts'
import type { Needs } from './needs.ts'
import type { Past } from './repo-backfill.ts'

export interface NeedsContext {
  past: Past
  jobs: Jobs
  /** The names of what was fetched, or is on its way. */
  fetched: Set<string>
  /**
   * Fetches who follows an account, in jobs of its own; absent where nobody can be asked for that.
   */
  followers?: { jobs: Jobs; fetch(did: string, signal: AbortSignal): Promise<void> }
}

/** Of a definition, a list or a starter pack; the others' posts come with the firehose. */
const authorsMax = 500
/** Of a definition: graphs, lists, starter packs, posts, each. */
const thingsMax = 100
const postsPerAuthorMax = 100
const repostsPerAuthorMax = 50
const postAgeMsMax = 7 * DAY_MS
const followsMax = 10_000
/**
 * What is remembered as fetched; with more, the oldest is fetched again when it is wanted again.
 */
const fetchedRememberedMax = 100_000

/** Has everything fetched that is needed and was not fetched yet. */
export function fetchNeeds(needs: Needs, context: NeedsContext): void {
  const { past } = context
  const authors = (dids: Iterable<string>) => {
    for (const did of [...dids].slice(0, authorsMax))
      once(context, `posts of ${did}`, (signal) => fetchPosts(past, did, signal))
  }
  authors(needs.authors)
  for (const did of first(needs.graphs))
    once(context, `follows of ${did}`, async (signal) => {
      await past.collection(did, 'app.bsky.graph.follow', { recordsMax: followsMax }, signal)
    })
  const { followers } = context
  if (followers) {
    for (const did of first(needs.followersOf))
      once({ ...context, jobs: followers.jobs }, `followers of ${did}`, (signal) =>
        followers.fetch(did, signal),
      )
  }
  for (const uri of first(needs.lists))
    once(context, uri, async (signal) => authors(await fetchList(past, uri, signal)))
  for (const uri of first(needs.starterPacks))
    once(context, uri, async (signal) => authors(await fetchStarterPack(past, uri, signal)))
  for (const uri of first(needs.posts))
    once(context, uri, async () => {
      const { host, collection, rkey } = new AtUri(uri)
      await past.record(host, `${collection}/${rkey}`)
    })
}

function first(things: ReadonlySet<string>): string[] {
  return [...things].slice(0, thingsMax)
}

/** What an account posted and reposted lately. */
async function fetchPosts(past: Past, did: string, signal: AbortSignal): Promise<void> {
  const since = Date.now() - postAgeMsMax
  await past.collection(did, 'app.bsky.feed.post', { recordsMax: postsPerAuthorMax, since }, signal)
  await past.collection(did, 'app.bsky.feed.repost', { recordsMax: repostsPerAuthorMax, since }, signal)
}

function once(
  { jobs, fetched }: NeedsContext,
  name: string,
  work: (signal: AbortSignal) => Promise<void>,
): void {
  if (fetched.has(name)) return
  if (fetched.size >= fetchedRememberedMax) fetched.delete(fetched.values().next().value as string)
  fetched.add(name)
  void jobs.run(name, work).then((outcome) => {
    // When it is wanted again it is tried again.
    if (outcome !== 'done') fetched.delete(name)
  })
}
