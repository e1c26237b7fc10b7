import { InvalidRequestError } from '@atproto/xrpc-server'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { changesIdentity } from '../../auth/permissions.ts'
import { SCOPES_FULL_EVEN_TAKENDOWN } from '../../auth/verifier.ts'
import { user } from '../auth.ts'
import { endpoint } from '../endpoint.ts'

export default endpoint<object, undefined, PersonCredentials>({
  auth: user({ scopes: SCOPES_FULL_EVEN_TAKENDOWN }),
  permission: changesIdentity,
  protected: true,
  handle: async ({ credentials: { did } }, { accounts, emails }) => {
    const account = accounts.find(did)
    if (account === undefined) throw new InvalidRequestError('account not found')
    await emails.sendCode('plc_operation', account)
  },
})
