import { InvalidRequestError } from '@atproto/xrpc-server'
import { AuthError, type RefreshCredentials } from '../../auth/credentials.ts'
import type { Services } from '../../services.ts'
import { endpoint, json } from '../endpoint.ts'
import { describeSession } from '../session.ts'

type Parts = Pick<Services, 'auth' | 'accounts' | 'sessions' | 'config' | 'didDocuments'>

export default (parts: Parts) =>
  endpoint<object, undefined, RefreshCredentials>({
    auth: ({ request }) => parts.auth.refresh(request),
    handler: async ({ credentials: { did, tokenId } }) => {
      const account = parts.accounts.find(did)
      if (account === undefined) throw new InvalidRequestError(`Could not find user info for account: ${did}`)
      if (account.takedownRef !== null)
        throw new AuthError(401, 'Account has been taken down', 'AccountTakedown')
      const tokens = await parts.sessions.rotate(account, tokenId)
      if (tokens === null) throw new InvalidRequestError('Token has been revoked', 'ExpiredToken')
      return json({ ...tokens, ...(await describeSession(parts, account)) })
    },
  })
