import type { MethodConfig } from '@atproto/xrpc-server'
import { decodeCursor, encodeCursor } from '../../feeds/cursor.ts'
import type { Services } from '../../services.ts'
import { asking } from '../asking.ts'

interface Params {
  creator?: string
  limit: number
  cursor?: string
}

/** The definitions that are known here. */
export default function listAlgorithms({ inquiries }: Pick<Services, 'inquiries'>): MethodConfig {
  return {
    handler: async ({ params }) => {
      const { creator, limit, cursor } = params as unknown as Params
      const [after] = await asking(() => (cursor ? decodeCursor(cursor, ['number']) : [0]))
      const { algorithms, last } = inquiries.algorithms({ creator, after: after as number, limit })
      return {
        encoding: 'application/json',
        body: { algorithms, cursor: last === undefined ? undefined : encodeCursor([last]) },
      }
    },
  }
}
