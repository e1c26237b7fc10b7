import type { ComAtprotoAdminEnableAccountInvites as Method } from '@atproto/api'
import type { AdminCredentials, ServiceCredentials } from '../../auth/credentials.ts'
import { moderator } from '../auth.ts'
import { endpoint } from '../endpoint.ts'

export default endpoint<object, Method.InputSchema, AdminCredentials | ServiceCredentials>({
  auth: moderator,
  handle: ({ input: { account } }, { invites }) => invites.setDisabledFor(account, false),
})
