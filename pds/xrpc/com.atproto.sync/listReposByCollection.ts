import type { ComAtprotoSyncListReposByCollection as Method } from '@atproto/api'
import { InvalidRequestError } from '@atproto/xrpc-server'
import type { Services } from '../../services.ts'
import { endpoint, json } from '../endpoint.ts'

const LIMIT_DEFAULT = 500

export default ({ accounts }: Pick<Services, 'accounts'>) =>
  endpoint<Method.QueryParams>({
    handler: ({ params: { collection, limit = LIMIT_DEFAULT, cursor } }) => {
      if (cursor && !/^\d{1,15}$/.test(cursor)) throw new InvalidRequestError('Malformed cursor')
      const { dids, next } = accounts.withCollection(collection, Number(cursor || 0), limit)
      return json({ cursor: next?.toString(), repos: dids.map((did) => ({ did })) })
    },
  })
