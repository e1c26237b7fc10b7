import type { ComAtprotoAdminGetAccountInfo as Method } from '@atproto/api'
import { InvalidRequestError } from '@atproto/xrpc-server'
import type { AdminCredentials, ServiceCredentials } from '../../auth/credentials.ts'
import type { Services } from '../../services.ts'
import { endpoint, json } from '../endpoint.ts'

export default ({ auth, accountInfos }: Pick<Services, 'auth' | 'accountInfos'>) =>
  endpoint<Method.QueryParams, undefined, AdminCredentials | ServiceCredentials>({
    auth: ({ request }) => auth.moderator(request),
    handler: ({ params: { did } }) => {
      const info = accountInfos.of(did)
      if (info === undefined) throw new InvalidRequestError('Account not found', 'NotFound')
      return json(info)
    },
  })
