import type { AppBskyFeedGetFeed as Method } from '@atproto/api'
import type { PersonCredentials } from '../../auth/credentials.ts'
import type { AppViewServices } from '../../services.ts'
import { proxies, user } from '../auth.ts'
import { endpoint } from '../endpoint.ts'

const NSID = 'app.bsky.feed.getFeed'
const SKELETON = 'app.bsky.feed.getFeedSkeleton'

/**
 * The AppView asks the feed's generator in the caller's name, so the token is made out to the
 * generator.
 */
export default endpoint<Method.QueryParams, undefined, PersonCredentials, AppViewServices>({
  auth: user(),
  permission: proxies(NSID, SKELETON),
  handle: async ({ params, request, credentials: { did } }, { appView, proxy }) => {
    const audience = await appView.generatorOf(params.feed)
    return proxy.pass({ nsid: NSID, request }, { did, audience, method: SKELETON })
  },
})
