import type { ComAtprotoSyncGetHead as Method } from '@atproto/api'
import { formatCid } from '#protocol/cid.ts'
import { anyApp } from '../../auth/permissions.ts'
import { viewer } from '../auth.ts'
import { endpoint, json } from '../endpoint.ts'
import { type Viewer, viewedRepo } from '../viewing.ts'

export default endpoint<Method.QueryParams, undefined, Viewer>({
  auth: viewer(),
  permission: anyApp,
  handle: ({ params: { did }, credentials }, { accounts, reader }) => {
    const { commit } = reader.head(viewedRepo(accounts, did, credentials))
    return json({ root: formatCid(commit) })
  },
})
