import type { ComAtprotoSyncGetRepo as Method } from '@atproto/api'
import { anyApp } from '../../auth/permissions.ts'
import { SCOPES_EVEN_TAKENDOWN } from '../../auth/verifier.ts'
import type { Services } from '../../services.ts'
import { car, endpoint } from '../endpoint.ts'
import { type Viewer, viewedRepo } from '../viewing.ts'

export default ({ auth, accounts, exports }: Pick<Services, 'auth' | 'accounts' | 'exports'>) =>
  endpoint<Method.QueryParams, undefined, Viewer>({
    auth: (exchange) => auth.optional(exchange, { permission: anyApp, scopes: SCOPES_EVEN_TAKENDOWN }),
    handler: ({ params: { did, since }, credentials }) =>
      car(exports.car(viewedRepo(accounts, did, credentials), since)),
  })
