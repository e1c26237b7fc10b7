import type { ComAtprotoAdminGetAccountInfos as Method } from '@atproto/api'
import type { AdminCredentials, ServiceCredentials } from '../../auth/credentials.ts'
import { moderator } from '../auth.ts'
import { endpoint, json } from '../endpoint.ts'

export default endpoint<Method.QueryParams, undefined, AdminCredentials | ServiceCredentials>({
  auth: moderator,
  handle: ({ params: { dids } }, { accountInfos }) =>
    json({ infos: [...new Set(dids)].flatMap((did) => accountInfos.of(did) ?? []) }),
})
