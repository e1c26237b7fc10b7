import { InvalidRequestError } from '@atproto/xrpc-server'
import { AuthError, type RefreshCredentials } from '../../auth/credentials.ts'
import { refresh } from '../auth.ts'
import { endpoint, json } from '../endpoint.ts'
import { describeSession } from '../session.ts'

export default endpoint<object, undefined, RefreshCredentials>({
  auth: refresh(),
  handle: async ({ credentials: { did, tokenId } }, parts) => {
    const account = parts.accounts.find(did)
    if (account === undefined) throw new InvalidRequestError(`Could not find user info for account: ${did}`)
    if (account.takedownRef !== null)
      throw new AuthError('unauthenticated', 'Account has been taken down', 'AccountTakedown')
    const tokens = await parts.sessions.rotate(account, tokenId)
    if (tokens === null) throw new InvalidRequestError('Token has been revoked', 'ExpiredToken')
    return json({ ...tokens, ...(await describeSession(parts, account)) })
  },
})
