import type { ComAtprotoServerGetAccountInviteCodes as Method } from '@atproto/api'
import { InvalidRequestError } from '@atproto/xrpc-server'
import { statusOf } from '../../accounts/status.ts'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { noApp } from '../../auth/permissions.ts'
import { SCOPES_FULL } from '../../auth/verifier.ts'
import { user } from '../auth.ts'
import { endpoint, json } from '../endpoint.ts'

export default endpoint<Method.QueryParams, undefined, PersonCredentials>({
  auth: user({ scopes: SCOPES_FULL, checkTakedown: true }),
  permission: noApp,
  protected: true,
  handle: async (
    { params: { includeUsed = true, createAvailable = true }, credentials: { did } },
    { auth, invites },
  ) => {
    const account = auth.account(did, {})
    if (statusOf(account) !== 'active') throw new InvalidRequestError('Account not found', 'NotFound')
    if (createAvailable) await invites.createEarned(account)
    const codes = invites.ofAccount(did)
    const shown = codes.filter(
      ({ disabled, uses, available }) => !disabled && (includeUsed || uses.length < available),
    )
    return json({ codes: shown })
  },
})
