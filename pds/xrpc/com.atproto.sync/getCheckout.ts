import type { ComAtprotoSyncGetCheckout as Method } from '@atproto/api'
import { anyApp } from '../../auth/permissions.ts'
import { viewer } from '../auth.ts'
import { car, endpoint } from '../endpoint.ts'
import { type Viewer, viewedRepo } from '../viewing.ts'

export default endpoint<Method.QueryParams, undefined, Viewer>({
  auth: viewer(),
  permission: anyApp,
  atOnce: 'exports',
  handle: ({ params: { did }, credentials }, { accounts, exports }) =>
    car(exports.car(viewedRepo(accounts, did, credentials))),
})
