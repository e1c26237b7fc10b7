import { AuthRequiredError, InvalidRequestError, type MethodConfig } from '@atproto/xrpc-server'
import { InvalidCursorError } from '../ranking/cursor.ts'
import type { Services } from '../services.ts'

const NSID = 'app.bsky.feed.getFeedSkeleton'

interface Params {
  feed: string
  limit: number
  cursor?: string
}

/** A page of a feed: the URIs of its posts. A token is looked at wherever there is one. */
export default function getFeedSkeleton({
  feeds,
  viewers,
}: Pick<Services, 'feeds' | 'viewers'>): MethodConfig {
  return {
    handler: async ({ params, req }) => {
      const { feed: uri, limit, cursor } = params as unknown as Params
      const feed = await feeds.find(uri)
      if (!feed) throw new InvalidRequestError('this feed is not served here', 'UnknownFeed')
      const viewer = await viewers.identify(req.headers.authorization, NSID)
      if (viewer === null && feed.algorithm.needsViewer) {
        throw new AuthRequiredError(
          'this feed is made for its viewer: a service token must say who that is',
          'AuthMissing',
        )
      }
      const page = await feed
        .page({ viewer: viewer ?? '', limit, cursor: cursor || undefined })
        .catch((error) => {
          throw error instanceof InvalidCursorError ? new InvalidRequestError(error.message) : error
        })
      const items = page.items.map(({ post, repost }) =>
        repost ? { post, reason: { $type: 'app.bsky.feed.defs#skeletonReasonRepost', repost } } : { post },
      )
      return { encoding: 'application/json', body: { feed: items, cursor: page.cursor } }
    },
  }
}
