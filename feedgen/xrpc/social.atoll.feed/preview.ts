import type { MethodConfig } from '@atproto/xrpc-server'
import { markAccount } from '#platform/request-log.ts'
import { methodNsid } from '../../algorithm/definition.ts'
import type { Services } from '../../services.ts'
import { asking, itemOf } from '../asking.ts'

const NSID = methodNsid('preview')

interface Input {
  definition: unknown
  limit?: number
}

const limitDefault = 30

/** What a definition would show now, and why. */
export default function preview({
  inquiries,
  viewers,
  askers,
}: Pick<Services, 'inquiries' | 'viewers' | 'askers'>): MethodConfig {
  return {
    handler: async ({ input, req, res }) => {
      const viewer = (await viewers.identify(req.headers.authorization, NSID)) ?? undefined
      markAccount(req, viewer ?? undefined)
      const asker = askers.of(req, res, viewer)
      const { definition, limit = limitDefault } = (input as unknown as { body: Input }).body
      const { items, stages, cost, warnings } = await asking(() =>
        inquiries.preview(definition, { ...asker, limit }),
      )
      return { encoding: 'application/json', body: { feed: items.map(itemOf), stages, cost, warnings } }
    },
  }
}
