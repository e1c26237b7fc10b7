import { InvalidRequestError } from '@atproto/xrpc-server'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { anyApp } from '../../auth/permissions.ts'
import { SCOPES_WITH_QUEUED } from '../../auth/verifier.ts'
import { user } from '../auth.ts'
import { endpoint, json } from '../endpoint.ts'
import { describeSession } from '../session.ts'

export default endpoint<object, undefined, PersonCredentials>({
  auth: user({ scopes: SCOPES_WITH_QUEUED }),
  permission: anyApp,
  protected: true,
  handle: async ({ credentials }, parts) => {
    const { did } = credentials
    const account = parts.accounts.find(did)
    if (account === undefined || account.takedownRef !== null) {
      throw new InvalidRequestError(`Could not find user info for account: ${did}`)
    }
    const { email, emailConfirmed, emailAuthFactor, ...session } = await describeSession(parts, account)
    const mayReadEmail =
      credentials.type !== 'app' || credentials.permissions.allowsAccount({ attr: 'email', action: 'read' })
    return json(mayReadEmail ? { ...session, email, emailConfirmed, emailAuthFactor } : session)
  },
})
