import { unknownFeed } from '../asking.ts'
import { checkedJson, endpoint } from '../endpoint.ts'

/** The definition of a feed, and whether it is served here. */
export default endpoint<{ feed: string }>({
  handle: async ({ params: { feed } }, { inquiries }) => {
    const view = await inquiries.algorithm(feed)
    if (view === undefined) throw unknownFeed()
    return checkedJson(view)
  },
})
