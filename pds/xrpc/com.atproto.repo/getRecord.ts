import type { ComAtprotoRepoGetRecord as Method } from '@atproto/api'
import { InvalidRequestError } from '@atproto/xrpc-server'
import { formatCid } from '#protocol/cid.ts'
import { recordToJsonText } from '#protocol/record.ts'
import { RepoUnavailableError } from '../../accounts/errors.ts'
import type { Account } from '../../accounts/status.ts'
import { endpoint, jsonText } from '../endpoint.ts'
import { readRepo } from '../viewing.ts'
import { uriOf } from '../writing.ts'

const NSID = 'com.atproto.repo.getRecord'

export default endpoint<Method.QueryParams>({
  handle: async (
    { params: { repo, collection, rkey, cid: wanted }, request, response },
    { auth, accounts, reader, appView, proxy },
  ) => {
    let account: Account | undefined
    try {
      account = await readRepo({ auth, accounts }, repo, { request, response })
    } catch (error) {
      // The account may live elsewhere by now, where an AppView knows of it.
      if (!(error instanceof RepoUnavailableError) || appView === undefined) throw error
    }
    if (account === undefined) {
      if (appView === undefined) throw new InvalidRequestError('Could not locate record')
      return proxy.pass({ nsid: NSID, request })
    }
    const uri = uriOf(account.did, collection, rkey)
    const record = reader.record(account, { collection, rkey })
    const cid = record && formatCid(record.cid)
    if (record === undefined || record.takedownRef !== null || (wanted !== undefined && wanted !== cid)) {
      throw new InvalidRequestError(`Could not locate record: ${uri}`, 'RecordNotFound')
    }
    return jsonText(`{"uri":${JSON.stringify(uri)},"cid":"${cid}","value":${recordToJsonText(record.block)}}`)
  },
})
