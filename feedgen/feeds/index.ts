/** The built-in feeds. */
import type { Algorithm } from './algorithm.ts'
import { following } from './following.ts'
import { hot } from './hot.ts'
import { latest } from './latest.ts'
import { mutuals } from './mutuals.ts'

export type { Algorithm, Feed, FeedItem, FeedPage, FeedRequest } from './algorithm.ts'

/** In the order in which they are listed. */
export const algorithms: readonly Algorithm[] = [latest, hot, following, mutuals]
