import type { ComAtprotoAdminUpdateAccountEmail as Method } from '@atproto/api'
import { InvalidRequestError } from '@atproto/xrpc-server'
import type { AdminCredentials } from '../../auth/credentials.ts'
import type { Services } from '../../services.ts'
import { endpoint } from '../endpoint.ts'

export default ({ auth, accounts, emails }: Pick<Services, 'auth' | 'accounts' | 'emails'>) =>
  endpoint<object, Method.InputSchema, AdminCredentials>({
    auth: ({ request }) => auth.admin(request),
    handler: async ({ input: { account: identifier, email } }) => {
      const account = accounts.find(identifier)
      if (account === undefined) throw new InvalidRequestError(`Account does not exist: ${identifier}`)
      await emails.set(account, email)
    },
  })
