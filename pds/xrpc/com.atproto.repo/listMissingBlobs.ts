import type { ComAtprotoRepoListMissingBlobs as Method } from '@atproto/api'
import { formatCid, parseCid } from '#protocol/cid.ts'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { anyApp } from '../../auth/permissions.ts'
import { user } from '../auth.ts'
import { endpoint, json } from '../endpoint.ts'

const LIMIT_DEFAULT = 500

export default endpoint<Method.QueryParams, undefined, PersonCredentials>({
  auth: user(),
  permission: anyApp,
  handle: async ({ params: { limit = LIMIT_DEFAULT, cursor }, credentials: { did } }, { auth, blobs }) => {
    const page = await blobs.missing(auth.account(did, {}), {
      limit,
      cursor: cursor ? parseCid(cursor) : undefined,
    })
    return json({
      cursor: page.cursor && formatCid(page.cursor),
      blobs: page.blobs.map(({ cid, recordUri }) => ({ cid: formatCid(cid), recordUri })),
    })
  },
})
