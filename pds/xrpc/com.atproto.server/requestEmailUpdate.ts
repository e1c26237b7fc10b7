import type { PersonCredentials } from '../../auth/credentials.ts'
import { accountPageOnly } from '../../auth/permissions.ts'
import { SCOPES_FULL } from '../../auth/verifier.ts'
import type { Services } from '../../services.ts'
import { endpoint, json } from '../endpoint.ts'

export default ({ auth, emails }: Pick<Services, 'auth' | 'emails'>) =>
  endpoint<object, undefined, PersonCredentials>({
    auth: (exchange) =>
      auth.access(exchange, { permission: accountPageOnly, scopes: SCOPES_FULL, checkTakedown: true }),
    handler: async ({ credentials: { did } }) =>
      json({ tokenRequired: await emails.requestUpdate(auth.account(did, {})) }),
  })
