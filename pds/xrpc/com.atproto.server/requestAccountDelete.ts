import { InvalidRequestError } from '@atproto/xrpc-server'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { managesStatus } from '../../auth/permissions.ts'
import { SCOPES_FULL } from '../../auth/verifier.ts'
import type { Services } from '../../services.ts'
import { endpoint } from '../endpoint.ts'

export default ({ auth, accounts, emails }: Pick<Services, 'auth' | 'accounts' | 'emails'>) =>
  endpoint<object, undefined, PersonCredentials>({
    auth: (exchange) =>
      auth.access(exchange, { permission: managesStatus, scopes: SCOPES_FULL, checkTakedown: true }),
    handler: async ({ credentials: { did } }) => {
      const account = accounts.find(did)
      if (account === undefined) throw new InvalidRequestError('account not found')
      await emails.sendCode('delete_account', account)
    },
  })
