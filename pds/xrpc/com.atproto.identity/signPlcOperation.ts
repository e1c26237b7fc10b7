import type { ComAtprotoIdentitySignPlcOperation as Method } from '@atproto/api'
import { InvalidRequestError } from '@atproto/xrpc-server'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { changesIdentity } from '../../auth/permissions.ts'
import { SCOPES_FULL_EVEN_TAKENDOWN } from '../../auth/verifier.ts'
import { user } from '../auth.ts'
import { endpoint, json } from '../endpoint.ts'

export default endpoint<object, Method.InputSchema, PersonCredentials>({
  auth: user({ scopes: SCOPES_FULL_EVEN_TAKENDOWN }),
  permission: changesIdentity,
  protected: true,
  handle: async ({ input, credentials: { did } }, { auth, identities }) => {
    const { token, rotationKeys, alsoKnownAs, verificationMethods, services } = input
    if (!token) {
      throw new InvalidRequestError('email confirmation token required to sign PLC operations')
    }
    const changes = { rotationKeys, alsoKnownAs, verificationMethods, services }
    return json({ operation: await identities.sign(auth.account(did, {}), token, changes) })
  },
})
