import type { PersonCredentials } from '../../auth/credentials.ts'
import { managesEmail } from '../../auth/permissions.ts'
import type { Services } from '../../services.ts'
import { endpoint } from '../endpoint.ts'

export default ({ auth, emails }: Pick<Services, 'auth' | 'emails'>) =>
  endpoint<object, undefined, PersonCredentials>({
    auth: (exchange) => auth.access(exchange, { permission: managesEmail, checkTakedown: true }),
    handler: ({ credentials: { did } }) => emails.sendCode('confirm_email', auth.account(did, {})),
  })
