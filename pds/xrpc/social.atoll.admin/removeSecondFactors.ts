import { InvalidRequestError } from '@atproto/xrpc-server'
import type { AdminCredentials } from '../../auth/credentials.ts'
import { admin } from '../auth.ts'
import { endpoint } from '../endpoint.ts'

export default endpoint<object, { account: string }, AdminCredentials>({
  auth: admin,
  handle: async ({ input }, { accounts, secondFactors }) => {
    const account = accounts.find(input.account)
    if (account === undefined) throw new InvalidRequestError(`Account does not exist: ${input.account}`)
    await secondFactors.removeAll(account)
  },
})
