import type { ComAtprotoSyncListReposByCollection as Method } from '@atproto/api'
import { InvalidRequestError } from '@atproto/xrpc-server'
import { endpoint, json } from '../endpoint.ts'

const LIMIT_DEFAULT = 500

export default endpoint<Method.QueryParams>({
  handle: ({ params: { collection, limit = LIMIT_DEFAULT, cursor } }, { accounts }) => {
    if (cursor && !/^\d{1,15}$/.test(cursor)) throw new InvalidRequestError('Malformed cursor')
    const { dids, next } = accounts.withCollection(collection, Number(cursor || 0), limit)
    return json({ cursor: next?.toString(), repos: dids.map((did) => ({ did })) })
  },
})
