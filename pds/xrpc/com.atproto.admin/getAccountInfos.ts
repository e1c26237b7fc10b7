import type { ComAtprotoAdminGetAccountInfos as Method } from '@atproto/api'
import type { AdminCredentials, ServiceCredentials } from '../../auth/credentials.ts'
import type { Services } from '../../services.ts'
import { endpoint, json } from '../endpoint.ts'

export default ({ auth, accountInfos }: Pick<Services, 'auth' | 'accountInfos'>) =>
  endpoint<Method.QueryParams, undefined, AdminCredentials | ServiceCredentials>({
    auth: ({ request }) => auth.moderator(request),
    handler: ({ params: { dids } }) =>
      json({ infos: [...new Set(dids)].flatMap((did) => accountInfos.of(did) ?? []) }),
  })
