import { InvalidRequestError } from '@atproto/xrpc-server'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { managesStatus } from '../../auth/permissions.ts'
import { SCOPES_FULL } from '../../auth/verifier.ts'
import { user } from '../auth.ts'
import { endpoint } from '../endpoint.ts'
import { MAIL_LIMITS } from '../rate-limits.ts'

export default endpoint<object, undefined, PersonCredentials>({
  auth: user({ scopes: SCOPES_FULL, checkTakedown: true }),
  permission: managesStatus,
  rateLimit: MAIL_LIMITS,
  protected: true,
  handle: async ({ credentials: { did } }, { accounts, emails }) => {
    const account = accounts.find(did)
    if (account === undefined) throw new InvalidRequestError('account not found')
    await emails.sendCode('delete_account', account)
  },
})
