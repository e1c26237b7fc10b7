import type { ComAtprotoAdminUpdateAccountHandle as Method } from '@atproto/api'
import { InvalidRequestError } from '@atproto/xrpc-server'
import type { AdminCredentials } from '../../auth/credentials.ts'
import { admin } from '../auth.ts'
import { endpoint } from '../endpoint.ts'

export default endpoint<object, Method.InputSchema, AdminCredentials>({
  auth: admin,
  handle: async ({ input: { did, handle } }, { accounts, handleChanges, didDocuments }) => {
    const account = accounts.find(did)
    if (account === undefined || account.takedownRef !== null) {
      throw new InvalidRequestError('Account not found')
    }
    await handleChanges.update(account, handle, { allowReserved: true })
    await didDocuments.forget(did)
  },
})
