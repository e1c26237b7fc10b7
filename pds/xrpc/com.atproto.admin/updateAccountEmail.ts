import type { ComAtprotoAdminUpdateAccountEmail as Method } from '@atproto/api'
import { InvalidRequestError } from '@atproto/xrpc-server'
import type { AdminCredentials } from '../../auth/credentials.ts'
import { admin } from '../auth.ts'
import { endpoint } from '../endpoint.ts'

export default endpoint<object, Method.InputSchema, AdminCredentials>({
  auth: admin,
  handle: async ({ input: { account: identifier, email } }, { accounts, emails }) => {
    const account = accounts.find(identifier)
    if (account === undefined) throw new InvalidRequestError(`Account does not exist: ${identifier}`)
    await emails.set(account, email)
  },
})
