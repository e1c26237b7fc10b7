import type { ComAtprotoSyncListBlobs as Method } from '@atproto/api'
import { formatCid, parseCid } from '#protocol/cid.ts'
import { anyApp } from '../../auth/permissions.ts'
import { SCOPES_EVEN_TAKENDOWN } from '../../auth/verifier.ts'
import { viewer } from '../auth.ts'
import { endpoint, json } from '../endpoint.ts'
import { type Viewer, viewedRepo } from '../viewing.ts'

const LIMIT_DEFAULT = 500

export default endpoint<Method.QueryParams, undefined, Viewer>({
  auth: viewer({ scopes: SCOPES_EVEN_TAKENDOWN }),
  permission: anyApp,
  handle: ({ params: { did, since, limit, cursor }, credentials }, { accounts, blobs }) => {
    const account = viewedRepo(accounts, did, credentials)
    const page = blobs.list(account, {
      since,
      limit: limit ?? LIMIT_DEFAULT,
      cursor: cursor ? parseCid(cursor) : undefined,
    })
    const cids = page.map(formatCid)
    return json({ cursor: cids.at(-1), cids })
  },
})
