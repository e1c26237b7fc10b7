import type { ComAtprotoServerUpdateEmail as Method } from '@atproto/api'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { accountPageOnly } from '../../auth/permissions.ts'
import { SCOPES_FULL } from '../../auth/verifier.ts'
import { user } from '../auth.ts'
import { endpoint } from '../endpoint.ts'

export default endpoint<object, Method.InputSchema, PersonCredentials>({
  auth: user({ scopes: SCOPES_FULL, checkTakedown: true }),
  permission: accountPageOnly,
  protected: true,
  handle: ({ input: { email, token, emailAuthFactor }, credentials: { did } }, { auth, emails }) =>
    emails.update(auth.account(did, {}), { email, code: token, authFactor: emailAuthFactor }),
})
