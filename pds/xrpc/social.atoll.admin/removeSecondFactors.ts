import { InvalidRequestError } from '@atproto/xrpc-server'
import type { AdminCredentials } from '../../auth/credentials.ts'
import type { Services } from '../../services.ts'
import { endpoint } from '../endpoint.ts'

export default ({ auth, accounts, secondFactors }: Pick<Services, 'auth' | 'accounts' | 'secondFactors'>) =>
  endpoint<object, { account: string }, AdminCredentials>({
    auth: ({ request }) => auth.admin(request),
    handler: async ({ input }) => {
      const account = accounts.find(input.account)
      if (account === undefined) throw new InvalidRequestError(`Account does not exist: ${input.account}`)
      await secondFactors.removeAll(account)
    },
  })
