/**
 * The score of the `hot` feed: what people did with a post, and its age, on one scale. Each doubling of points is worth the same as being
 * `halfLifeHours` younger, so the order of two posts does not change with the time at which they are looked at.
 */

/** Points decay by half in this time. */
export const halfLifeHours = 4

const POINTS = { likes: 1, replies: 1, reposts: 2, quotes: 2 }
const HALF_LIFE_MS = halfLifeHours * 3_600_000

/** A post's engagement, and when it was made in milliseconds since 1970. */
export interface Heated {
  likes: number
  reposts: number
  replies: number
  quotes: number
  sortAt: number
}

/** The heat of a post, in half-lives since 1970. */
export function heatOf({ likes, reposts, replies, quotes, sortAt }: Heated): number {
  const points =
    likes * POINTS.likes + replies * POINTS.replies + reposts * POINTS.reposts + quotes * POINTS.quotes
  return Math.log2(1 + Math.max(0, points)) + sortAt / HALF_LIFE_MS
}
