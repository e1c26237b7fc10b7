import { InvalidRequestError } from '@atproto/xrpc-server'
import type { AccessCredentials } from '../auth/credentials.ts'
import { SCOPES_FULL_EVEN_TAKENDOWN } from '../auth/verifier.ts'
import type { Services } from '../services.ts'
import { endpoint } from './endpoint.ts'

export default ({ auth, accounts, emails }: Pick<Services, 'auth' | 'accounts' | 'emails'>) =>
  endpoint<object, undefined, AccessCredentials>({
    auth: (request) => auth.access(request, { scopes: SCOPES_FULL_EVEN_TAKENDOWN }),
    handler: async ({ credentials: { did } }) => {
      const account = accounts.find(did)
      if (account === undefined) throw new InvalidRequestError('account not found')
      await emails.sendCode('plc_operation', account)
    },
  })
