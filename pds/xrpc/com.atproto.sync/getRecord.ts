import type { ComAtprotoSyncGetRecord as Method } from '@atproto/api'
import { anyApp } from '../../auth/permissions.ts'
import { viewer } from '../auth.ts'
import { car, endpoint } from '../endpoint.ts'
import { type Viewer, viewedRepo } from '../viewing.ts'

export default endpoint<Method.QueryParams, undefined, Viewer>({
  auth: viewer(),
  permission: anyApp,
  handle: ({ params: { did, collection, rkey }, credentials }, { accounts, reader }) =>
    car(reader.recordProof(viewedRepo(accounts, did, credentials), { collection, rkey })),
})
