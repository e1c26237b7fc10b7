import type { AccessCredentials } from '../auth/credentials.ts'
import type { Services } from '../services.ts'
import { endpoint } from './endpoint.ts'

export default ({ auth, emails }: Pick<Services, 'auth' | 'emails'>) =>
  endpoint<object, undefined, AccessCredentials>({
    auth: (request) => auth.access(request, { checkTakedown: true }),
    handler: ({ credentials: { did } }) => emails.sendCode('confirm_email', auth.account(did, {})),
  })
