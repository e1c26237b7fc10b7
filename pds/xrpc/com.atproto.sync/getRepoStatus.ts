import type { ComAtprotoSyncGetRepoStatus as Method } from '@atproto/api'
import { statusOf } from '../../accounts/status.ts'
import { endpoint, json } from '../endpoint.ts'

export default endpoint<Method.QueryParams>({
  handle: ({ params: { did } }, { accounts, reader }) => {
    const account = accounts.hosted(did, { evenInactive: true })
    const status = statusOf(account)
    return status === 'active'
      ? json({ did, active: true, rev: reader.head(account).rev })
      : json({ did, active: false, status })
  },
})
