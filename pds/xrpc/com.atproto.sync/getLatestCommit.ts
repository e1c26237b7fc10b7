import type { ComAtprotoSyncGetLatestCommit as Method } from '@atproto/api'
import { formatCid } from '#protocol/cid.ts'
import { anyApp } from '../../auth/permissions.ts'
import type { Services } from '../../services.ts'
import { endpoint, json } from '../endpoint.ts'
import { type Viewer, viewedRepo } from '../viewing.ts'

export default ({ auth, accounts, reader }: Pick<Services, 'auth' | 'accounts' | 'reader'>) =>
  endpoint<Method.QueryParams, undefined, Viewer>({
    auth: (exchange) => auth.optional(exchange, { permission: anyApp }),
    handler: ({ params: { did }, credentials }) => {
      const { commit, rev } = reader.head(viewedRepo(accounts, did, credentials))
      return json({ cid: formatCid(commit), rev })
    },
  })
