import type { ComAtprotoServerGetServiceAuth as Method } from '@atproto/api'
import type { AccessCredentials } from '../auth/credentials.ts'
import type { Services } from '../services.ts'
import { endpoint, json } from './endpoint.ts'

export default ({ auth, serviceTokens }: Pick<Services, 'auth' | 'serviceTokens'>) =>
  endpoint<Method.QueryParams, undefined, AccessCredentials>({
    auth: (request) => auth.access(request),
    handler: async ({ params: { aud, exp, lxm }, credentials: { did } }) => {
      const account = auth.account(did, { checkTakedown: true })
      return json({
        token: await serviceTokens.create(account, { audience: aud, expiresAt: exp, method: lxm }),
      })
    },
  })
