import type { MethodConfig } from '@atproto/xrpc-server'
import { markAccount } from '#platform/request-log.ts'
import { methodNsid } from '../../algorithm/definition.ts'
import type { Services } from '../../services.ts'
import { asking } from '../asking.ts'

const NSID = methodNsid('backtest')

interface Input {
  definition: unknown
  days?: number
}

/** How many posts a definition would have had, hour by hour. */
export default function backtest({
  inquiries,
  viewers,
  askers,
}: Pick<Services, 'inquiries' | 'viewers' | 'askers'>): MethodConfig {
  return {
    handler: async ({ input, req, res }) => {
      const viewer = (await viewers.identify(req.headers.authorization, NSID)) ?? undefined
      markAccount(req, viewer ?? undefined)
      const asker = askers.of(req, res, viewer)
      const { definition, days = 1 } = (input as unknown as { body: Input }).body
      const { hours, ...rest } = await asking(() =>
        inquiries.backtest(definition, { ...asker, hours: days * 24 }),
      )
      const sent = hours.map(({ at, posts }) => ({ at: new Date(at).toISOString(), posts }))
      return { encoding: 'application/json', body: { hours: sent, ...rest } }
    },
  }
}
