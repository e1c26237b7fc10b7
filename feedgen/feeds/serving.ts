/**
 * Pages of a feed: read from the index where its algorithm needs no ranking, otherwise of lists
 * that are made behind them.
 */
import { HOUR_MS, MINUTE_MS } from '#platform/time.ts'
import type { Plan } from '../algorithm/compile.ts'
import { isRead, type ReadLanguages } from '../algorithm/languages.ts'
import { DeadlineError } from '../engine/deadline.ts'
import type { Evaluator } from '../engine/evaluator.ts'
import type { Facts } from '../engine/index-queries.ts'
import type { Job, Shown } from '../engine/jobs.ts'
import { readStream } from '../engine/stream.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import { type FeedAlgorithm, type FindAlgorithm, feedsOf, requestOf } from './feed-algorithm.ts'
import type { Hiding } from './hiding.ts'
import { cursorAt, type FeedPage, type FeedRequest, pageOf, placeAt } from './page.ts'
import type { PostUris } from './post-uris.ts'
import type { List, Lists } from './ranked-lists.ts'
import type { Visibility } from './visibility.ts'

/**
 * A list that took too long is tried again after this long, and after twice as long each time that
 * it takes too long again.
 */
const RETRY_MS = MINUTE_MS
const RETRY_MS_MAX = HOUR_MS
/** Posts that are looked at together for their languages. */
const LOOKED_AT_ONCE = 200

/** What pages are made of. */
export interface FeedDeps {
  readonly facts: Facts
  readonly evaluator: Evaluator
  readonly lists: Lists<Shown>
  readonly visibility: Visibility
  readonly hiding: Hiding
  readonly uris: PostUris
}

/**
 * A page of the feed of an algorithm that is served. `find` finds the other feeds that it names.
 */
export function servePage(
  algorithm: FeedAlgorithm,
  request: FeedRequest,
  deps: FeedDeps,
  find: FindAlgorithm,
): Promise<FeedPage> {
  const { plan } = algorithm
  if (plan === undefined) throw new Error('only an algorithm with a plan can be served')
  const served: Served = { algorithm, plan, deps, find }
  return plan.stream ? streamedPage(served, request) : rankedPage(served, request)
}

interface Served {
  readonly algorithm: FeedAlgorithm
  readonly plan: Plan
  readonly deps: FeedDeps
  readonly find: FindAlgorithm
}

async function streamedPage(
  { plan, deps: { facts, uris } }: Served,
  { viewer, limit, cursor, languages }: FeedRequest,
): Promise<FeedPage> {
  const read = plan.definition.viewer?.languages ? languages : undefined
  const { items, readTo } = await readStream(
    plan,
    { facts, now: Date.now(), viewer: viewer || undefined },
    // One more, which tells whether there is a next page.
    { limit: limit + 1, after: placeAt(cursor), languages: read, signedIn: viewer !== '' },
  )
  const posts = await uris.of(items.map(({ id }) => id))
  const page = pageOf(items, limit, {
    item: ({ id, repost }) => ({ post: posts.get(id) as string, repost }),
    cursor: ({ place }) => cursorAt(place),
  })
  // Where too few of what was read may be shown, the page is short, and the next begins behind
  // them.
  const next = page.cursor ?? (readTo && items.length <= limit ? cursorAt(readTo) : undefined)
  return { ...page, cursor: next, languages: read?.tags }
}

async function rankedPage(
  served: Served,
  { viewer, limit, cursor, languages }: FeedRequest,
): Promise<FeedPage> {
  const { plan, deps } = served
  const { list, from } = await placeOf(served, viewer, cursor)
  const signedIn = viewer !== ''
  const read = plan.definition.viewer?.languages ? languages : undefined
  const found: { item: Shown; at: number }[] = []
  // Posts that went, or are hidden, since the list was made leave gaps, which are filled from
  // further down.
  for (let at = from; found.length <= limit && at < list.items.length; ) {
    const missing = limit + 1 - found.length
    const next = list.items.slice(at, at + (read ? Math.max(missing, LOOKED_AT_ONCE) : missing))
    const readable = read ? await readableOf(read, next, plan, deps) : next
    const visible = await deps.visibility.of(
      readable.map(({ id }) => id),
      signedIn,
    )
    const hidden = await deps.hiding.of(
      plan,
      readable.filter(({ id }) => visible.has(id)),
      viewer,
    )
    const places = new Map(next.map((item, i) => [item, at + i]))
    for (const item of readable)
      if (visible.has(item.id) && !hidden.has(item.id)) found.push({ item, at: places.get(item) as number })
    at += next.length
  }
  const page = pageOf(found, limit, {
    item: ({ item: { post, repost, isPin } }) => ({ post, repost, isPin }),
    cursor: ({ item, at }) => encodeCursor([list.id, at, item.id]),
  })
  return { ...page, languages: read?.tags }
}

/**
 * Those of a list's items that are in one of the languages, or are there by hand whatever they are
 * in.
 */
async function readableOf(
  read: ReadLanguages,
  items: readonly Shown[],
  { definition }: Plan,
  { facts }: FeedDeps,
): Promise<readonly Shown[]> {
  const { pin, manualAdd = [] } = definition.place ?? {}
  const placed = new Set([pin, ...manualAdd])
  const records = await facts.records(items.map(({ id }) => id))
  return items.filter(({ id, post }) => placed.has(post) || isRead(read, records.get(id)?.record))
}

/**
 * The list that a cursor points into and the place behind it there; when that is gone, behind the
 * same post in the newest one.
 */
async function placeOf(
  served: Served,
  viewer: string,
  cursor: string | undefined,
): Promise<{ list: List<Shown>; from: number }> {
  const { algorithm, plan, deps } = served
  const key = `${algorithm.key} ${plan.looksAtViewer ? viewer : ''}`
  const newest = () =>
    deps.lists.newest(key, () => make(served, viewer), { isOwn: plan.looksAtViewer && viewer !== '' })
  if (cursor === undefined) return { list: await newest(), from: 0 }
  const [id, at, post] = decodeCursor(cursor, ['number', 'number', 'number'])
  const list = deps.lists.find(key, id)
  if (list) return { list, from: Math.max(0, Math.floor(at) + 1) }
  const other = await newest()
  const there = other.items.findIndex((item) => item.id === post)
  return { list: other, from: Math.max(0, (there < 0 ? Math.floor(at) : there) + 1) }
}

/**
 * Makes the list: the ranking, which all share unless it is made for each, and what of it the
 * viewer is shown.
 */
async function make({ algorithm, plan, deps, find }: Served, viewer: string): Promise<readonly Shown[]> {
  const { evaluator, lists } = deps
  const base = {
    ...requestOf(algorithm),
    feeds: await feedsOf(algorithm, find),
    now: Date.now(),
    viewer: viewer || undefined,
  }
  const rank = () => inTime(algorithm, () => evaluator.run({ kind: 'rank', ...base } satisfies Job))
  const isShared = plan.looksAtViewer && !plan.isPersonal
  const ranked = isShared ? (await lists.newest(`${algorithm.key} ranked`, rank)).items : await rank()
  // What the viewer reads is asked of each page.
  const { viewer: { hide, feedback = false } = {}, place } = plan.definition
  if (hide === undefined && !feedback && place === undefined) return ranked
  return inTime(algorithm, () => evaluator.run({ kind: 'show', items: ranked, ...base } satisfies Job))
}

/**
 * Makes a part of a list, unless it took too long a while ago: then others have their turn first.
 */
async function inTime<T>(algorithm: FeedAlgorithm, work: () => Promise<T>): Promise<T> {
  const { overrun } = algorithm
  if (overrun !== undefined && Date.now() < overrun.retryAt)
    throw new DeadlineError('the lists of this feed take too long to make')
  try {
    const made = await work()
    delete algorithm.overrun
    return made
  } catch (error) {
    if (error instanceof DeadlineError) {
      const times = (overrun?.times ?? 0) + 1
      const waitMs = Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** (times - 1))
      algorithm.overrun = { times, retryAt: Date.now() + waitMs }
    }
    throw error
  }
}
