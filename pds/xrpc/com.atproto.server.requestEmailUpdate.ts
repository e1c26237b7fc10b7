import type { AccessCredentials } from '../auth/credentials.ts'
import { SCOPES_FULL } from '../auth/verifier.ts'
import type { Services } from '../services.ts'
import { endpoint, json } from './endpoint.ts'

export default ({ auth, emails }: Pick<Services, 'auth' | 'emails'>) =>
  endpoint<object, undefined, AccessCredentials>({
    auth: (request) => auth.access(request, { scopes: SCOPES_FULL, checkTakedown: true }),
    handler: async ({ credentials: { did } }) =>
      json({ tokenRequired: await emails.requestUpdate(auth.account(did, {})) }),
  })
