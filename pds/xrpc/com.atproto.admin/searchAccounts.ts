import type { ComAtprotoAdminSearchAccounts as Method } from '@atproto/api'
import { InvalidRequestError } from '@atproto/xrpc-server'
import type { AdminCredentials, ServiceCredentials } from '../../auth/credentials.ts'
import { moderator } from '../auth.ts'
import { endpoint, json } from '../endpoint.ts'

const LIMIT_DEFAULT = 50

export default endpoint<Method.QueryParams, undefined, AdminCredentials | ServiceCredentials>({
  auth: moderator,
  handle: ({ params: { email = '', limit = LIMIT_DEFAULT, cursor } }, { accountInfos }) => {
    if (cursor && !/^\d{1,15}$/.test(cursor)) throw new InvalidRequestError('Malformed cursor')
    const page = accountInfos.search(email, limit, cursor ? Number(cursor) : undefined)
    return json({ accounts: page.accounts, cursor: page.cursor?.toString() })
  },
})
