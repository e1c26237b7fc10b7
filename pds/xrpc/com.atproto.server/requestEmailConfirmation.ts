import type { PersonCredentials } from '../../auth/credentials.ts'
import { managesEmail } from '../../auth/permissions.ts'
import { user } from '../auth.ts'
import { endpoint } from '../endpoint.ts'
import { MAIL_LIMITS } from '../rate-limits.ts'

export default endpoint<object, undefined, PersonCredentials>({
  auth: user({ checkTakedown: true }),
  permission: managesEmail,
  rateLimit: MAIL_LIMITS,
  protected: true,
  handle: ({ credentials: { did } }, { auth, emails }) =>
    emails.sendCode('confirm_email', auth.account(did, {})),
})
