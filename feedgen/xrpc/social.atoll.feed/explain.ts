import type { Asker } from '../../feeds/inquiries.ts'
import { refusalText } from '../../feeds/live-definitions.ts'
import { milli, unknownFeed } from '../asking.ts'
import { asker, checkedJson, endpoint, evaluations } from '../endpoint.ts'

interface Params {
  feed: string
  post: string
}

/** Why a post is or isn't in a feed. */
export default endpoint<Params, undefined, Asker>({
  auth: asker,
  rateLimit: [evaluations(1)],
  handle: async ({ params: { feed, post }, credentials: asker }, { inquiries }) => {
    const explanation = await inquiries.explain(feed, { ...asker, post })
    if (explanation === undefined) {
      const refusal = (await inquiries.algorithm(feed))?.refusal
      throw unknownFeed(refusal && refusalText(refusal))
    }
    const { score, ...rest } = explanation
    return checkedJson({ ...rest, scoreMilli: milli(score) })
  },
})
