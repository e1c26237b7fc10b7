import type { ComAtprotoSyncGetCheckout as Method } from '@atproto/api'
import type { Services } from '../services.ts'
import { car, endpoint } from './endpoint.ts'
import { type Viewer, viewedRepo } from './viewing.ts'

export default ({ auth, accounts, exports }: Pick<Services, 'auth' | 'accounts' | 'exports'>) =>
  endpoint<Method.QueryParams, undefined, Viewer>({
    auth: (request) => auth.optional(request),
    handler: ({ params: { did }, credentials }) => car(exports.car(viewedRepo(accounts, did, credentials))),
  })
