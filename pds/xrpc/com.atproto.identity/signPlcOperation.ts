import type { ComAtprotoIdentitySignPlcOperation as Method } from '@atproto/api'
import { InvalidRequestError } from '@atproto/xrpc-server'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { changesIdentity } from '../../auth/permissions.ts'
import { SCOPES_FULL_EVEN_TAKENDOWN } from '../../auth/verifier.ts'
import type { Services } from '../../services.ts'
import { endpoint, json } from '../endpoint.ts'

export default ({ auth, identities }: Pick<Services, 'auth' | 'identities'>) =>
  endpoint<object, Method.InputSchema, PersonCredentials>({
    auth: (exchange) =>
      auth.access(exchange, { permission: changesIdentity, scopes: SCOPES_FULL_EVEN_TAKENDOWN }),
    handler: async ({ input, credentials: { did } }) => {
      const { token, rotationKeys, alsoKnownAs, verificationMethods, services } = input
      if (!token) {
        throw new InvalidRequestError('email confirmation token required to sign PLC operations')
      }
      const changes = { rotationKeys, alsoKnownAs, verificationMethods, services }
      return json({ operation: await identities.sign(auth.account(did, {}), token, changes) })
    },
  })
