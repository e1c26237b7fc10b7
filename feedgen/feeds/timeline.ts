import type { GraphEdge, IndexReader } from '../index/read/reader.ts'
import { cursorAt, type Feed, pageOf, placeAt } from './algorithm.ts'

/** The feed of what the accounts around the viewer post and repost, newest first. */
export function timelineOf(index: IndexReader, edge: GraphEdge): Feed {
  return async ({ viewer, limit, cursor }) => {
    const found = await index.timeline(viewer, edge, { limit: limit + 1, after: placeAt(cursor) })
    return pageOf(found, limit, {
      item: ({ post, repost }) => ({ post, repost }),
      cursor: ({ place }) => cursorAt(place),
    })
  }
}
