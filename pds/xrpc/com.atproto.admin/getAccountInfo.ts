import type { ComAtprotoAdminGetAccountInfo as Method } from '@atproto/api'
import { InvalidRequestError } from '@atproto/xrpc-server'
import type { AdminCredentials, ServiceCredentials } from '../../auth/credentials.ts'
import { moderator } from '../auth.ts'
import { endpoint, json } from '../endpoint.ts'

export default endpoint<Method.QueryParams, undefined, AdminCredentials | ServiceCredentials>({
  auth: moderator,
  handle: ({ params: { did } }, { accountInfos }) => {
    const info = accountInfos.of(did)
    if (info === undefined) throw new InvalidRequestError('Account not found', 'NotFound')
    return json(info)
  },
})
