/** The feed that a definition makes: pages of lists that are made behind them, by viewer where the definition looks at him. */

import { type Plan, sourcesIn } from '../algorithm/compile.ts'
import { isRead, type ReadLanguages } from '../algorithm/languages.ts'
import { DeadlineError } from '../engine/deadline.ts'
import type { Evaluator } from '../engine/evaluator.ts'
import type { Facts } from '../engine/index-queries.ts'
import type { Asked, Job, Shown } from '../engine/jobs.ts'
import { type FeedPage, type FeedRequest, pageOf } from './algorithm.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import type { Hiding } from './hiding.ts'
import type { Definitions, LiveDefinition } from './live-definitions.ts'
import type { List, Lists } from './ranked-lists.ts'
import type { Visibility } from './visibility.ts'

/** A list that took too long is tried again after this long, and after twice as long each time that it takes too long again. */
const RETRY_MS = 60_000
const RETRY_MS_MAX = 3_600_000
/** Posts that are looked at together for their languages. */
const LOOKED_AT_ONCE = 200

export interface Kitchen {
  facts: Facts
  evaluator: Evaluator
  lists: Lists<Shown>
  visibility: Visibility
  hiding: Hiding
  definitions: Pick<Definitions, 'find'>
}

/** A page of the feed of a definition that is served. */
export async function definedPage(
  live: LiveDefinition,
  { viewer, limit, cursor, languages }: FeedRequest,
  kitchen: Kitchen,
): Promise<FeedPage> {
  const { plan } = live
  if (plan === undefined) throw new Error(`${live.uri} is not served`)
  const { list, from } = await placeOf(live, viewer, cursor, kitchen)
  const signedIn = viewer !== ''
  const read = plan.definition.viewer?.languages ? languages : undefined
  const found: { item: Shown; at: number }[] = []
  // Posts that went, or are hidden, since the list was made leave gaps, which are filled from further down.
  for (let at = from; found.length <= limit && at < list.items.length; ) {
    const missing = limit + 1 - found.length
    const next = list.items.slice(at, at + (read ? Math.max(missing, LOOKED_AT_ONCE) : missing))
    const readable = read ? await readableOf(read, next, plan, kitchen) : next
    const visible = await kitchen.visibility.of(
      readable.map(({ id }) => id),
      signedIn,
    )
    const hidden = await kitchen.hiding.of(
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

/** Those of a list's items that are in one of the languages, or are there by hand whatever they are in. */
async function readableOf(
  read: ReadLanguages,
  items: readonly Shown[],
  { definition }: Plan,
  { facts }: Kitchen,
): Promise<readonly Shown[]> {
  const { pin, manualAdd = [] } = definition.place ?? {}
  const placed = new Set([pin, ...manualAdd])
  const records = await facts.records(items.map(({ id }) => id))
  return items.filter(({ id, post }) => placed.has(post) || isRead(read, records.get(id)?.record))
}

/** The list that a cursor points into and the place behind it there; when that is gone, behind the same post in the newest one. */
async function placeOf(
  live: LiveDefinition,
  viewer: string,
  cursor: string | undefined,
  kitchen: Kitchen,
): Promise<{ list: List<Shown>; from: number }> {
  const { plan } = live
  if (plan === undefined) throw new Error(`${live.uri} is not served`)
  const key = `${keyOf(live)} ${plan.looksAtViewer ? viewer : ''}`
  const newest = () =>
    kitchen.lists.newest(key, () => make(live, viewer, kitchen), {
      isOwn: plan.looksAtViewer && viewer !== '',
    })
  if (cursor === undefined) return { list: await newest(), from: 0 }
  const [id, at, post] = decodeCursor(cursor, ['number', 'number', 'number'])
  const list = kitchen.lists.find(key, id)
  if (list) return { list, from: Math.max(0, Math.floor(at) + 1) }
  const other = await newest()
  const there = other.items.findIndex((item) => item.id === post)
  return { list: other, from: Math.max(0, (there < 0 ? Math.floor(at) : there) + 1) }
}

/** What lists are kept under: an update that is refused leaves them as they are. */
function keyOf({ feed, version, served }: LiveDefinition): string {
  return `${feed} ${served?.version ?? version}`
}

/** Makes the list: the ranking, which all share unless it is made for each, and what of it the viewer is shown. */
async function make(live: LiveDefinition, viewer: string, kitchen: Kitchen): Promise<readonly Shown[]> {
  const { plan } = live
  if (plan === undefined) throw new Error(`${live.uri} is not served`)
  const { evaluator, lists } = kitchen
  const base = {
    ...askedOf(live),
    feeds: feedsOf(live, kitchen),
    now: Date.now(),
    viewer: viewer || undefined,
  }
  const rank = () => inTime(live, () => evaluator.run({ kind: 'rank', ...base } satisfies Job))
  const isShared = plan.looksAtViewer && !plan.isPersonal
  const ranked = isShared ? (await lists.newest(`${keyOf(live)} ranked`, rank)).items : await rank()
  const { viewer: rules, place } = plan.definition
  if (rules === undefined && place === undefined) return ranked
  return inTime(live, () => evaluator.run({ kind: 'show', items: ranked, ...base } satisfies Job))
}

/** Makes a part of a list, unless it took too long a while ago: then others have their turn first. */
async function inTime<T>(live: LiveDefinition, work: () => Promise<T>): Promise<T> {
  const { overrun } = live
  if (overrun !== undefined && Date.now() < overrun.retryAt)
    throw new DeadlineError('the lists of this feed take too long to make')
  try {
    const made = await work()
    delete live.overrun
    return made
  } catch (error) {
    if (error instanceof DeadlineError) {
      const times = (overrun?.times ?? 0) + 1
      const waitMs = Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** (times - 1))
      live.overrun = { times, retryAt: Date.now() + waitMs }
    }
    throw error
  }
}

/** A definition as a job asks for it. What was taken in for it counts once its past was. */
export function askedOf({ plan, id, isFilled }: LiveDefinition): Asked {
  if (plan === undefined) throw new Error('only what is ready can be asked')
  return { definition: plan.definition, id: isFilled ? id : undefined }
}

/** The other feeds that a definition's sources name, and those that theirs do. */
export function feedsOf(
  live: Pick<LiveDefinition, 'plan'>,
  { definitions }: Pick<Kitchen, 'definitions'>,
): ReadonlyMap<string, Asked> {
  const feeds = new Map<string, Asked>()
  const waiting = [live]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const { source } of sourcesIn(next.plan?.definition.sources ?? [], '')) {
      if (source.kind !== 'feed' || feeds.has(source.uri)) continue
      const other = definitions.find(source.uri)
      if (!other?.isServed) continue
      feeds.set(source.uri, askedOf(other))
      waiting.push(other)
    }
  }
  return feeds
}
