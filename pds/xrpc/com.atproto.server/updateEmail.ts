import type { ComAtprotoServerUpdateEmail as Method } from '@atproto/api'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { accountPageOnly } from '../../auth/permissions.ts'
import { SCOPES_FULL } from '../../auth/verifier.ts'
import type { Services } from '../../services.ts'
import { endpoint } from '../endpoint.ts'

export default ({ auth, emails }: Pick<Services, 'auth' | 'emails'>) =>
  endpoint<object, Method.InputSchema, PersonCredentials>({
    auth: (exchange) =>
      auth.access(exchange, { permission: accountPageOnly, scopes: SCOPES_FULL, checkTakedown: true }),
    handler: ({ input: { email, token, emailAuthFactor }, credentials: { did } }) =>
      emails.update(auth.account(did, {}), { email, code: token, authFactor: emailAuthFactor }),
  })
