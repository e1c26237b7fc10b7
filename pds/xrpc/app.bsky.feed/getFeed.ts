import type { AppBskyFeedGetFeed as Method } from '@atproto/api'
import type { PersonCredentials } from '../../auth/credentials.ts'
import type { AppViewServices } from '../../services.ts'
import { endpoint } from '../endpoint.ts'

const NSID = 'app.bsky.feed.getFeed'
const SKELETON = 'app.bsky.feed.getFeedSkeleton'

/** The AppView asks the feed's generator in the caller's name, so the token is made out to the generator. */
export default ({ auth, appView, proxy }: Pick<AppViewServices, 'auth' | 'appView' | 'proxy'>) =>
  endpoint<Method.QueryParams, undefined, PersonCredentials>({
    auth: (exchange) => auth.access(exchange, { permission: proxy.permission(NSID, SKELETON) }),
    handler: async ({ params, request, credentials: { did } }) => {
      const audience = await appView.generatorOf(params.feed)
      return proxy.pass({ nsid: NSID, request }, { did, audience, method: SKELETON })
    },
  })
