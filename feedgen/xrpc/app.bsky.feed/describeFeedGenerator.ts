import type { MethodConfig } from '@atproto/xrpc-server'
import type { Services } from '../../services.ts'

/** Which feeds this service serves. */
export default function describeFeedGenerator({
  feeds,
  site,
}: Pick<Services, 'feeds' | 'site'>): MethodConfig {
  return {
    handler: async () => {
      const served = await feeds.list()
      return {
        encoding: 'application/json',
        body: { did: site.serviceDid, feeds: served.map(({ uri }) => ({ uri })) },
      }
    },
  }
}
