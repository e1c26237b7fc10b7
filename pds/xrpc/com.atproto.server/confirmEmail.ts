import type { ComAtprotoServerConfirmEmail as Method } from '@atproto/api'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { managesEmail } from '../../auth/permissions.ts'
import type { Services } from '../../services.ts'
import { endpoint } from '../endpoint.ts'

export default ({ auth, emails }: Pick<Services, 'auth' | 'emails'>) =>
  endpoint<object, Method.InputSchema, PersonCredentials>({
    auth: (exchange) => auth.access(exchange, { permission: managesEmail, checkTakedown: true }),
    handler: ({ input: { email, token }, credentials: { did } }) =>
      emails.confirm(auth.account(did, {}), email, token),
  })
