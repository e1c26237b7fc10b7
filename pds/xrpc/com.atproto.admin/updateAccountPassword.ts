import type { ComAtprotoAdminUpdateAccountPassword as Method } from '@atproto/api'
import type { AdminCredentials } from '../../auth/credentials.ts'
import type { Services } from '../../services.ts'
import { endpoint } from '../endpoint.ts'

export default ({ auth, passwordChanges }: Pick<Services, 'auth' | 'passwordChanges'>) =>
  endpoint<object, Method.InputSchema, AdminCredentials>({
    auth: ({ request }) => auth.admin(request),
    handler: ({ input: { did, password } }) => passwordChanges.set(did, password),
  })
