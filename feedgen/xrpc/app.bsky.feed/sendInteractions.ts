import { AuthRequiredError, InvalidRequestError, type MethodConfig } from '@atproto/xrpc-server'
import { markAccount } from '#platform/request-log.ts'
import type { Services } from '../../services.ts'

const NSID = 'app.bsky.feed.sendInteractions'

/** Reports in one request; apps send them every few seconds. */
const interactionsMax = 500
const feedContextCharactersMax = 2000
const reqIdCharactersMax = 100
const eventCharactersMax = 256

interface Input {
  feed?: string
  interactions: { item?: string; event?: string; feedContext?: string; reqId?: string }[]
}

/** Keeps what a viewer's app says was done with posts of a feed. Events that nobody here knows are kept too. */
export default function sendInteractions({
  feeds,
  viewers,
  interactions,
}: Pick<Services, 'feeds' | 'viewers' | 'interactions'>): MethodConfig {
  return {
    handler: async ({ input, req }) => {
      const viewer = await viewers.identify(req.headers.authorization, NSID)
      markAccount(req, viewer ?? undefined)
      if (viewer === null)
        throw new AuthRequiredError('a service token must say whose interactions these are', 'AuthMissing')
      const { feed, interactions: sent } = (input as unknown as { body: Input }).body
      if (sent.length > interactionsMax)
        throw new InvalidRequestError(`at most ${interactionsMax} interactions in one request`)
      if (feed !== undefined && !(await feeds.find(feed)))
        throw new InvalidRequestError('this feed is not served here', 'UnknownFeed')
      const reports = sent.flatMap(({ item, event, feedContext, reqId }) => {
        if (item === undefined || event === undefined || event.length > eventCharactersMax) return []
        const context = feedContext?.slice(0, feedContextCharactersMax)
        return { item, event, feedContext: context, reqId: reqId?.slice(0, reqIdCharactersMax) }
      })
      await interactions.keep(viewer, feed, reports)
      return { encoding: 'application/json', body: {} }
    },
  }
}
