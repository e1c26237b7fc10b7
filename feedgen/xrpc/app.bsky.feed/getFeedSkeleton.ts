import { AuthRequiredError, InvalidRequestError } from '@atproto/xrpc-server'
import type { Exchange } from '#platform/endpoint.ts'
import { DomainError } from '#platform/errors.ts'
import { DeadlineError } from '../../engine/deadline.ts'
import type { FeedItem } from '../../feeds/page.ts'
import type { ServedFeed } from '../../feeds/registry.ts'
import type { Services } from '../../services.ts'
import { checkedJson, endpoint, viewer } from '../endpoint.ts'
import { acceptedLanguages } from '../languages.ts'

interface Params {
  feed: string
  limit: number
  cursor?: string
}

/** Who may see a feed depends on the feed. A token is checked wherever there is one. */
async function feedFor(
  exchange: Exchange<Params>,
  services: Pick<Services, 'feeds' | 'viewers'>,
): Promise<{ feed: ServedFeed; viewer: string | null }> {
  const uri = exchange.params.feed
  const feed = await services.feeds.find(uri)
  if (!feed) throw new InvalidRequestError(await services.feeds.whyNot(uri), 'UnknownFeed')
  const did = await viewer(exchange, services)
  if (did === null && feed.needsViewer) {
    throw new AuthRequiredError(
      'this feed is made for its viewer: a service token must say who that is',
      'AuthMissing',
    )
  }
  return { feed, viewer: did }
}

/** A page of a feed: the URIs of its posts. */
export default endpoint<Params, undefined, { feed: ServedFeed; viewer: string | null }>({
  auth: feedFor,
  handle: async ({ params: { limit, cursor }, credentials: { feed, viewer }, request }, { pasts }) => {
    // Fetched in the background; until then the feed is made from what is known, or is its cold
    // start.
    const isNew =
      viewer !== null && feed.looksAtViewer && !(await pasts.ask(viewer, { mutuals: feed.asksMutuals }))
    const page = await feed
      .page({
        viewer: viewer ?? '',
        limit,
        cursor: cursor || undefined,
        isNew,
        languages: acceptedLanguages(request.headers['accept-language']),
      })
      .catch((error: unknown) => {
        // The feed asks too much, not the viewer.
        if (!(error instanceof DeadlineError)) throw error
        throw new DomainError('unavailable', error.message, error.code, { cause: error })
      })
    const languages = page.languages && { 'content-language': page.languages.join(', ') }
    return checkedJson({ feed: page.items.map(skeletonOf), cursor: page.cursor }, languages)
  },
})

function skeletonOf({ post, repost, isPin }: FeedItem): object {
  if (isPin) return { post, reason: { $type: 'app.bsky.feed.defs#skeletonReasonPin' } }
  return repost ? { post, reason: { $type: 'app.bsky.feed.defs#skeletonReasonRepost', repost } } : { post }
}
