/** A page of a feed, and the request for it. */
import type { ReadLanguages } from '../algorithm/languages.ts'
import type { Place } from '../engine/index-queries.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'

/**
 * Answers a request for a page.
 * @throws DomainError when the cursor is not one of this feed's
 */
export type Feed = (request: FeedRequest) => Promise<FeedPage>

export interface FeedRequest {
  /** Who looks at the feed; an empty string when that is not known and not needed. */
  viewer: string
  /** The most items that the page may have. */
  limit: number
  /** Where the page before ended. */
  cursor?: string
  /** Whether what the viewer did before is not here yet. */
  isNew?: boolean
  /** What the viewer reads; absent when that is not known. */
  languages?: ReadLanguages
}

export interface FeedPage {
  items: FeedItem[]
  /** Where the next page begins; none when this is the last. */
  cursor?: string
  /** The languages of which the page is; absent when it is of all. */
  languages?: readonly string[]
}

/** A post by its URI, and when it is there as somebody's repost, that record's. */
export interface FeedItem {
  post: string
  repost?: string
  /** Whether it stands at the top because the feed's creator put it there. */
  isPin?: boolean
}

/**
 * The page made of what was found behind the cursor. `found` has one more than the page may hold
 * when there is more: that one is left for the next page, whose cursor stands behind the last one
 * of this.
 */
export function pageOf<T>(
  found: readonly T[],
  limit: number,
  { item, cursor }: { item(found: T): FeedItem; cursor(last: T): string },
): FeedPage {
  const shown = found.slice(0, limit)
  const last = shown.at(-1)
  const items = shown.map(item)
  return found.length > limit && last !== undefined ? { items, cursor: cursor(last) } : { items }
}

/** A cursor that carries a place in the order by time. */
export function cursorAt({ sortAt, id }: Place): string {
  return encodeCursor([sortAt, id])
}

/** The place that such a cursor carries. */
export function placeAt(cursor: string | undefined): Place | undefined {
  if (cursor === undefined) return undefined
  const [sortAt, id] = decodeCursor(cursor, ['number', 'number'])
  return { sortAt, id }
}
