import type { ComAtprotoAdminDeleteAccount as Method } from '@atproto/api'
import type { AdminCredentials } from '../../auth/credentials.ts'
import { admin } from '../auth.ts'
import { endpoint } from '../endpoint.ts'

export default endpoint<object, Method.InputSchema, AdminCredentials>({
  auth: admin,
  handle: ({ input: { did } }, { accounts }) => accounts.remove(did),
})
