import type { ComAtprotoRepoGetRecord as Method } from '@atproto/api'
import { InvalidRequestError } from '@atproto/xrpc-server'
import { formatCid } from '#protocol/cid.ts'
import { cborToJsonText } from '#protocol/json.ts'
import { statusOf } from '../accounts/status.ts'
import type { Services } from '../services.ts'
import { endpoint, jsonText } from './endpoint.ts'
import { uriOf } from './writing.ts'

const NSID = 'com.atproto.repo.getRecord'

export default ({
  accounts,
  reader,
  appView,
  proxy,
}: Pick<Services, 'accounts' | 'reader' | 'appView' | 'proxy'>) =>
  endpoint<Method.QueryParams>({
    handler: ({ params: { repo, collection, rkey, cid: wanted }, request }) => {
      const account = accounts.find(repo)
      if (account === undefined || statusOf(account) !== 'active') {
        if (appView === undefined) throw new InvalidRequestError('Could not locate record')
        return proxy.pass({ nsid: NSID, request })
      }
      const uri = uriOf(account.did, collection, rkey)
      const record = reader.record(account, { collection, rkey })
      const cid = record && formatCid(record.cid)
      if (record === undefined || record.takedownRef !== null || (wanted !== undefined && wanted !== cid)) {
        throw new InvalidRequestError(`Could not locate record: ${uri}`, 'RecordNotFound')
      }
      return jsonText(`{"uri":${JSON.stringify(uri)},"cid":"${cid}","value":${cborToJsonText(record.block)}}`)
    },
  })
