import type { ComAtprotoAdminUpdateAccountPassword as Method } from '@atproto/api'
import type { AdminCredentials } from '../../auth/credentials.ts'
import { admin } from '../auth.ts'
import { endpoint } from '../endpoint.ts'

export default endpoint<object, Method.InputSchema, AdminCredentials>({
  auth: admin,
  handle: ({ input: { did, password } }, { passwordChanges }) => passwordChanges.set(did, password),
})
