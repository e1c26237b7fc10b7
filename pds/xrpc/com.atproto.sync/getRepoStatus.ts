import type { ComAtprotoSyncGetRepoStatus as Method } from '@atproto/api'
import { statusOf } from '../../accounts/status.ts'
import type { Services } from '../../services.ts'
import { endpoint, json } from '../endpoint.ts'

export default ({ accounts, reader }: Pick<Services, 'accounts' | 'reader'>) =>
  endpoint<Method.QueryParams>({
    handler: ({ params: { did } }) => {
      const account = accounts.hosted(did, { evenInactive: true })
      const status = statusOf(account)
      return status === 'active'
        ? json({ did, active: true, rev: reader.head(account).rev })
        : json({ did, active: false, status })
    },
  })
