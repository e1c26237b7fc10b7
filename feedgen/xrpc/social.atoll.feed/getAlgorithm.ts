import type { MethodConfig } from '@atproto/xrpc-server'
import type { Services } from '../../services.ts'
import { unknownFeed } from '../asking.ts'

/** The definition of a feed, and whether it is served here. */
export default function getAlgorithm({ inquiries }: Pick<Services, 'inquiries'>): MethodConfig {
  return {
    handler: async ({ params }) => {
      const view = await inquiries.algorithm((params as unknown as { feed: string }).feed)
      if (view === undefined) throw unknownFeed()
      return { encoding: 'application/json', body: view }
    },
  }
}
