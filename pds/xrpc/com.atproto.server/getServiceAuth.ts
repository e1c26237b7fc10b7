import type { ComAtprotoServerGetServiceAuth as Method } from '@atproto/api'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { anyApp } from '../../auth/permissions.ts'
import { SCOPES_EVEN_TAKENDOWN } from '../../auth/verifier.ts'
import { user } from '../auth.ts'
import { endpoint, json } from '../endpoint.ts'

export default endpoint<Method.QueryParams, undefined, PersonCredentials>({
  auth: user({ scopes: SCOPES_EVEN_TAKENDOWN }),
  permission: anyApp,
  handle: async ({ params: { aud, exp, lxm }, credentials }, { auth, serviceTokens }) => {
    const isApp = credentials.type === 'app'
    if (isApp) credentials.permissions.assertRpc({ aud, lxm: lxm ?? '*' })
    const account = auth.account(credentials.did, {})
    const scope = isApp ? undefined : credentials.scope
    return json({
      token: await serviceTokens.create(account, scope, { audience: aud, expiresAt: exp, method: lxm }),
    })
  },
})
