import type { ComAtprotoServerGetServiceAuth as Method } from '@atproto/api'
import type { AccessCredentials } from '../auth/credentials.ts'
import { SCOPES_EVEN_TAKENDOWN } from '../auth/verifier.ts'
import type { Services } from '../services.ts'
import { endpoint, json } from './endpoint.ts'

export default ({ auth, serviceTokens }: Pick<Services, 'auth' | 'serviceTokens'>) =>
  endpoint<Method.QueryParams, undefined, AccessCredentials>({
    auth: (request) => auth.access(request, { scopes: SCOPES_EVEN_TAKENDOWN }),
    handler: async ({ params: { aud, exp, lxm }, credentials: { did, scope } }) => {
      const account = auth.account(did, {})
      return json({
        token: await serviceTokens.create(account, scope, { audience: aud, expiresAt: exp, method: lxm }),
      })
    },
  })
