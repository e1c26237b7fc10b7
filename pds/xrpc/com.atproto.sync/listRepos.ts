import type { ComAtprotoSyncListRepos as Method } from '@atproto/api'
import { InvalidRequestError } from '@atproto/xrpc-server'
import { cidFromBytes, formatCid } from '#protocol/cid.ts'
import { statusOf } from '../../accounts/status.ts'
import { endpoint, json } from '../endpoint.ts'

const LIMIT_DEFAULT = 500

export default endpoint<Method.QueryParams>({
  handle: ({ params: { limit = LIMIT_DEFAULT, cursor } }, { accounts }) => {
    const page = accounts.list(cursor ? parseCursor(cursor) : { createdAt: '', did: '' }, limit)
    const last = page.at(-1)
    return json({
      cursor: last && `${Date.parse(last.createdAt)}::${last.did}`,
      repos: page.map((row) => {
        const status = statusOf(row)
        return {
          did: row.did,
          head: formatCid(cidFromBytes(row.commit)),
          rev: row.rev,
          active: status === 'active',
          status: status === 'active' ? undefined : status,
        }
      }),
    })
  },
})

function parseCursor(cursor: string): { createdAt: string; did: string } {
  const [time = '', did = '', ...more] = cursor.split('::')
  const createdAt = new Date(Number.parseInt(time, 10))
  if (Number.isNaN(createdAt.getTime()) || did === '' || more.length > 0) {
    throw new InvalidRequestError('Malformed cursor')
  }
  return { createdAt: createdAt.toISOString(), did }
}
