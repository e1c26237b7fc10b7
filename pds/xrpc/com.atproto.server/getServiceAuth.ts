import type { ComAtprotoServerGetServiceAuth as Method } from '@atproto/api'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { anyApp } from '../../auth/permissions.ts'
import { SCOPES_EVEN_TAKENDOWN } from '../../auth/verifier.ts'
import type { Services } from '../../services.ts'
import { endpoint, json } from '../endpoint.ts'

export default ({ auth, serviceTokens }: Pick<Services, 'auth' | 'serviceTokens'>) =>
  endpoint<Method.QueryParams, undefined, PersonCredentials>({
    auth: (exchange) => auth.access(exchange, { permission: anyApp, scopes: SCOPES_EVEN_TAKENDOWN }),
    handler: async ({ params: { aud, exp, lxm }, credentials }) => {
      const isApp = credentials.type === 'app'
      if (isApp) credentials.permissions.assertRpc({ aud, lxm: lxm ?? '*' })
      const account = auth.account(credentials.did, {})
      const scope = isApp ? undefined : credentials.scope
      return json({
        token: await serviceTokens.create(account, scope, { audience: aud, expiresAt: exp, method: lxm }),
      })
    },
  })
