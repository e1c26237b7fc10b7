import type { ComAtprotoRepoListRecords as Method } from '@atproto/api'
import { InvalidRequestError } from '@atproto/xrpc-server'
import { formatCid } from '#protocol/cid.ts'
import { recordToJsonText } from '#protocol/record.ts'
import { endpoint, jsonText } from '../endpoint.ts'
import { readRepo } from '../viewing.ts'
import { uriOf } from '../writing.ts'

const LIMIT_DEFAULT = 50

export default endpoint<Method.QueryParams>({
  handle: async ({ params, request, response }, { auth, accounts, reader }) => {
    const { repo, collection, limit = LIMIT_DEFAULT, cursor, reverse = false } = params
    const account = await readRepo({ auth, accounts }, repo, { request, response })
    if (account === undefined) throw new InvalidRequestError(`Could not find repo: ${repo}`)
    const page = reader.records(account, { collection, limit, cursor, reverse })
    const records = page.map(({ rkey, cid, block }) => {
      const uri = JSON.stringify(uriOf(account.did, collection, rkey))
      return `{"uri":${uri},"cid":"${formatCid(cid)}","value":${recordToJsonText(block)}}`
    })
    const last = page.at(-1)
    const next = last === undefined ? '' : `,"cursor":${JSON.stringify(last.rkey)}`
    return jsonText(`{"records":[${records.join(',')}]${next}}`)
  },
})
