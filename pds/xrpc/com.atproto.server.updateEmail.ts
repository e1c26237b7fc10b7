import type { ComAtprotoServerUpdateEmail as Method } from '@atproto/api'
import type { AccessCredentials } from '../auth/credentials.ts'
import { SCOPES_FULL } from '../auth/verifier.ts'
import type { Services } from '../services.ts'
import { endpoint } from './endpoint.ts'

export default ({ auth, emails }: Pick<Services, 'auth' | 'emails'>) =>
  endpoint<object, Method.InputSchema, AccessCredentials>({
    auth: (request) => auth.access(request, { scopes: SCOPES_FULL, checkTakedown: true }),
    handler: ({ input: { email, token, emailAuthFactor }, credentials: { did } }) =>
      emails.update(auth.account(did, {}), { email, code: token, authFactor: emailAuthFactor }),
  })
