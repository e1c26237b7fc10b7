import type { ComAtprotoAdminUpdateAccountHandle as Method } from '@atproto/api'
import { InvalidRequestError } from '@atproto/xrpc-server'
import type { AdminCredentials } from '../../auth/credentials.ts'
import type { Services } from '../../services.ts'
import { endpoint } from '../endpoint.ts'

export default ({ auth, accounts, didDocuments }: Pick<Services, 'auth' | 'accounts' | 'didDocuments'>) =>
  endpoint<object, Method.InputSchema, AdminCredentials>({
    auth: ({ request }) => auth.admin(request),
    handler: async ({ input: { did, handle } }) => {
      const account = accounts.find(did)
      if (account === undefined || account.takedownRef !== null) {
        throw new InvalidRequestError('Account not found')
      }
      await accounts.updateHandle(account, handle, { allowReserved: true })
      await didDocuments.forget(did)
    },
  })
