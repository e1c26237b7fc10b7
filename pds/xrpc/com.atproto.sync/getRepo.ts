import type { ComAtprotoSyncGetRepo as Method } from '@atproto/api'
import { anyApp } from '../../auth/permissions.ts'
import { SCOPES_EVEN_TAKENDOWN } from '../../auth/verifier.ts'
import { viewer } from '../auth.ts'
import { car, endpoint } from '../endpoint.ts'
import { perMinutes } from '../rate-limits.ts'
import { type Viewer, viewedRepo } from '../viewing.ts'

export default endpoint<Method.QueryParams, undefined, Viewer>({
  auth: viewer({ scopes: SCOPES_EVEN_TAKENDOWN }),
  permission: anyApp,
  rateLimit: [perMinutes(5, 'downloadsIn5Minutes')],
  atOnce: 'exports',
  handle: ({ params: { did, since }, credentials }, { accounts, exports }) =>
    car(exports.car(viewedRepo(accounts, did, credentials), since)),
})
