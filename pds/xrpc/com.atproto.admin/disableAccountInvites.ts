import type { ComAtprotoAdminDisableAccountInvites as Method } from '@atproto/api'
import type { AdminCredentials, ServiceCredentials } from '../../auth/credentials.ts'
import type { Services } from '../../services.ts'
import { endpoint } from '../endpoint.ts'

export default ({ auth, invites }: Pick<Services, 'auth' | 'invites'>) =>
  endpoint<object, Method.InputSchema, AdminCredentials | ServiceCredentials>({
    auth: ({ request }) => auth.moderator(request),
    handler: ({ input: { account } }) => invites.setDisabledFor(account, true),
  })
