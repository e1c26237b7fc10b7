import type { MethodConfig } from '@atproto/xrpc-server'
import { methodNsid } from '../algorithms/definition.ts'
import type { Services } from '../services.ts'
import { asking, itemOf } from './asking.ts'

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
}: Pick<Services, 'inquiries' | 'viewers'>): MethodConfig {
  return {
    handler: async ({ input, req }) => {
      const viewer = (await viewers.identify(req.headers.authorization, NSID)) ?? undefined
      const { definition, limit = limitDefault } = (input as unknown as { body: Input }).body
      const { items, stages, cost } = await asking(() => inquiries.preview(definition, { viewer, limit }))
      return { encoding: 'application/json', body: { feed: items.map(itemOf), stages, cost } }
    },
  }
}
