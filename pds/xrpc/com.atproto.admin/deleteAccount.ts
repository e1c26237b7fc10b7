import type { ComAtprotoAdminDeleteAccount as Method } from '@atproto/api'
import type { AdminCredentials } from '../../auth/credentials.ts'
import type { Services } from '../../services.ts'
import { endpoint } from '../endpoint.ts'

export default ({ auth, accounts }: Pick<Services, 'auth' | 'accounts'>) =>
  endpoint<object, Method.InputSchema, AdminCredentials>({
    auth: ({ request }) => auth.admin(request),
    handler: ({ input: { did } }) => accounts.remove(did),
  })
