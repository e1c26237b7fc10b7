import type { ComAtprotoAdminUpdateAccountPassword as Method } from '@atproto/api'
import { InvalidRequestError } from '@atproto/xrpc-server'
import type { AdminCredentials } from '../auth/credentials.ts'
import type { Services } from '../services.ts'
import { endpoint } from './endpoint.ts'

export default ({
  auth,
  accounts,
  passwordChanges,
}: Pick<Services, 'auth' | 'accounts' | 'passwordChanges'>) =>
  endpoint<object, Method.InputSchema, AdminCredentials>({
    auth: (request) => auth.admin(request),
    handler: async ({ input: { did, password } }) => {
      const account = accounts.find(did)
      if (account === undefined) throw new InvalidRequestError('Account not found')
      await passwordChanges.set(account, password)
    },
  })
