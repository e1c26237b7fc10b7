import type { ComAtprotoServerConfirmEmail as Method } from '@atproto/api'
import type { AccessCredentials } from '../auth/credentials.ts'
import type { Services } from '../services.ts'
import { endpoint } from './endpoint.ts'

export default ({ auth, emails }: Pick<Services, 'auth' | 'emails'>) =>
  endpoint<object, Method.InputSchema, AccessCredentials>({
    auth: (request) => auth.access(request, { checkTakedown: true }),
    handler: ({ input: { email, token }, credentials: { did } }) =>
      emails.confirm(auth.account(did, {}), email, token),
  })
