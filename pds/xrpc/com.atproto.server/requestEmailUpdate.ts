import type { PersonCredentials } from '../../auth/credentials.ts'
import { accountPageOnly } from '../../auth/permissions.ts'
import { SCOPES_FULL } from '../../auth/verifier.ts'
import { user } from '../auth.ts'
import { endpoint, json } from '../endpoint.ts'
import { MAIL_LIMITS } from '../rate-limits.ts'

export default endpoint<object, undefined, PersonCredentials>({
  auth: user({ scopes: SCOPES_FULL, checkTakedown: true }),
  permission: accountPageOnly,
  rateLimit: MAIL_LIMITS,
  protected: true,
  handle: async ({ credentials: { did } }, { auth, emails }) =>
    json({ tokenRequired: await emails.requestUpdate(auth.account(did, {})) }),
})
