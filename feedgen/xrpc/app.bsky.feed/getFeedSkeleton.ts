import {
  AuthRequiredError,
  InvalidRequestError,
  type MethodConfig,
  ResponseType,
  XRPCError,
} from '@atproto/xrpc-server'
import { markAccount } from '#platform/request-log.ts'
import { DeadlineError } from '../../engine/deadline.ts'
import { BusyError } from '../../engine/evaluator.ts'
import { InvalidCursorError } from '../../feeds/cursor.ts'
import type { FeedItem } from '../../feeds/page.ts'
import type { Services } from '../../services.ts'
import { acceptedLanguages } from '../languages.ts'

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
  pasts,
}: Pick<Services, 'feeds' | 'viewers' | 'pasts'>): MethodConfig {
  return {
    handler: async ({ params, req }) => {
      const { feed: uri, limit, cursor } = params as unknown as Params
      const feed = await feeds.find(uri)
      if (!feed) throw new InvalidRequestError(await feeds.whyNot(uri), 'UnknownFeed')
      const viewer = await viewers.identify(req.headers.authorization, NSID)
      markAccount(req, viewer ?? undefined)
      if (viewer === null && feed.needsViewer) {
        throw new AuthRequiredError(
          'this feed is made for its viewer: a service token must say who that is',
          'AuthMissing',
        )
      }
      // Fetched in the background; until then the feed is made from what is known, or is its cold start.
      const isNew =
        viewer !== null && feed.looksAtViewer && !(await pasts.ask(viewer, { mutuals: feed.asksMutuals }))
      const page = await feed
        .page({
          viewer: viewer ?? '',
          limit,
          cursor: cursor || undefined,
          isNew,
          languages: acceptedLanguages(req.headers['accept-language']),
        })
        .catch((error) => {
          if (error instanceof DeadlineError)
            throw new XRPCError(ResponseType.NotEnoughResources, error.message, 'TooExpensive')
          if (error instanceof BusyError) throw new XRPCError(ResponseType.RateLimitExceeded, error.message)
          throw error instanceof InvalidCursorError ? new InvalidRequestError(error.message) : error
        })
      return {
        encoding: 'application/json',
        body: { feed: page.items.map(skeletonOf), cursor: page.cursor },
        ...(page.languages && { headers: { 'content-language': page.languages.join(', ') } }),
      }
    },
  }
}

function skeletonOf({ post, repost, isPin }: FeedItem): object {
  if (isPin) return { post, reason: { $type: 'app.bsky.feed.defs#skeletonReasonPin' } }
  return repost ? { post, reason: { $type: 'app.bsky.feed.defs#skeletonReasonRepost', repost } } : { post }
}
