import type { ComAtprotoServerConfirmEmail as Method } from '@atproto/api'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { managesEmail } from '../../auth/permissions.ts'
import { user } from '../auth.ts'
import { endpoint } from '../endpoint.ts'

export default endpoint<object, Method.InputSchema, PersonCredentials>({
  auth: user({ checkTakedown: true }),
  permission: managesEmail,
  protected: true,
  handle: ({ input: { email, token }, credentials: { did } }, { auth, emails }) =>
    emails.confirm(auth.account(did, {}), email, token),
})
