import type { MethodConfig } from '@atproto/xrpc-server'
import { markAccount } from '#platform/request-log.ts'
import { methodNsid } from '../../algorithm/definition.ts'
import { refusalText } from '../../feeds/live-definitions.ts'
import type { Services } from '../../services.ts'
import { asking, milli, unknownFeed } from '../asking.ts'

const NSID = methodNsid('explain')

interface Params {
  feed: string
  post: string
}

/** Why a post is, or is not, in a feed. */
export default function explain({
  inquiries,
  viewers,
  askers,
}: Pick<Services, 'inquiries' | 'viewers' | 'askers'>): MethodConfig {
  return {
    handler: async ({ params, req, res }) => {
      const viewer = (await viewers.identify(req.headers.authorization, NSID)) ?? undefined
      markAccount(req, viewer ?? undefined)
      const asker = askers.of(req, res, viewer)
      const { feed, post } = params as unknown as Params
      const explanation = await asking(() => inquiries.explain(feed, { ...asker, post }))
      if (explanation === undefined) {
        const refusal = (await inquiries.algorithm(feed))?.refusal
        throw unknownFeed(refusal && refusalText(refusal))
      }
      const { score, ...rest } = explanation
      return { encoding: 'application/json', body: { ...rest, scoreMilli: milli(score) } }
    },
  }
}
