import type { AppBskyFeedGetFeed as Method } from '@atproto/api'
import type { AccessCredentials } from '../auth/credentials.ts'
import type { AppViewServices } from '../services.ts'
import { endpoint } from './endpoint.ts'

const NSID = 'app.bsky.feed.getFeed'

/** The AppView asks the feed's generator in the caller's name, so the token is made out to the generator. */
export default ({ auth, appView, proxy }: Pick<AppViewServices, 'auth' | 'appView' | 'proxy'>) =>
  endpoint<Method.QueryParams, undefined, AccessCredentials>({
    auth: (request) => auth.access(request),
    handler: async ({ params, request, credentials: { did } }) => {
      const audience = await appView.generatorOf(params.feed)
      return proxy.pass({ nsid: NSID, request }, { did, audience, method: 'app.bsky.feed.getFeedSkeleton' })
    },
  })
