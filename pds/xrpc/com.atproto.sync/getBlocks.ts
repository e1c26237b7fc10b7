import type { ComAtprotoSyncGetBlocks as Method } from '@atproto/api'
import { parseCid } from '#protocol/cid.ts'
import { anyApp } from '../../auth/permissions.ts'
import type { Services } from '../../services.ts'
import { car, endpoint } from '../endpoint.ts'
import { type Viewer, viewedRepo } from '../viewing.ts'

export default ({ auth, accounts, reader }: Pick<Services, 'auth' | 'accounts' | 'reader'>) =>
  endpoint<Method.QueryParams, undefined, Viewer>({
    auth: (exchange) => auth.optional(exchange, { permission: anyApp }),
    handler: ({ params: { did, cids }, credentials }) =>
      car(reader.blocks(viewedRepo(accounts, did, credentials), cids.map(parseCid))),
  })
