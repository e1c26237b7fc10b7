import type { ComAtprotoSyncGetBlocks as Method } from '@atproto/api'
import { parseCid } from '#protocol/cid.ts'
import { anyApp } from '../../auth/permissions.ts'
import { viewer } from '../auth.ts'
import { car, endpoint } from '../endpoint.ts'
import { type Viewer, viewedRepo } from '../viewing.ts'

export default endpoint<Method.QueryParams, undefined, Viewer>({
  auth: viewer(),
  permission: anyApp,
  handle: ({ params: { did, cids }, credentials }, { accounts, reader }) =>
    car(reader.blocks(viewedRepo(accounts, did, credentials), cids.map(parseCid))),
})
