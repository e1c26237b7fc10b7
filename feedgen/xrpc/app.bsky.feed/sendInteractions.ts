import { AuthRequiredError, InvalidRequestError } from '@atproto/xrpc-server'
import { checkedJson, endpoint, viewer } from '../endpoint.ts'

/** Reports in one request; apps send them every few seconds. */
const INTERACTIONS_MAX = 500
const FEED_CONTEXT_CHARACTERS_MAX = 2000
const REQ_ID_CHARACTERS_MAX = 100
const EVENT_CHARACTERS_MAX = 256

interface Input {
  feed?: string
  interactions: { item?: string; event?: string; feedContext?: string; reqId?: string }[]
}

/** Keeps what a viewer's app says was done with posts of a feed. Unknown events are kept too. */
export default endpoint<object, Input, string>({
  auth: async (exchange, services) => {
    const did = await viewer(exchange, services)
    if (did === null)
      throw new AuthRequiredError('a service token must say whose interactions these are', 'AuthMissing')
    return did
  },
  handle: async ({ input: { feed, interactions: sent }, credentials: did }, { feeds, interactions }) => {
    if (sent.length > INTERACTIONS_MAX)
      throw new InvalidRequestError(`at most ${INTERACTIONS_MAX} interactions in one request`)
    if (feed !== undefined && !(await feeds.find(feed)))
      throw new InvalidRequestError('this feed is not served here', 'UnknownFeed')
    const reports = sent.flatMap(({ item, event, feedContext, reqId }) => {
      if (item === undefined || event === undefined || event.length > EVENT_CHARACTERS_MAX) return []
      const context = feedContext?.slice(0, FEED_CONTEXT_CHARACTERS_MAX)
      return { item, event, feedContext: context, reqId: reqId?.slice(0, REQ_ID_CHARACTERS_MAX) }
    })
    await interactions.keep(did, feed, reports)
    return checkedJson({})
  },
})
