import type { ComAtprotoSyncGetBlob as Method } from '@atproto/api'
import { InvalidRequestError } from '@atproto/xrpc-server'
import { formatCid, parseCid } from '#protocol/cid.ts'
import type { Services } from '../services.ts'
import { endpoint } from './endpoint.ts'
import { type Viewer, viewedRepo } from './viewing.ts'

export default ({ auth, accounts, blobs }: Pick<Services, 'auth' | 'accounts' | 'blobs'>) =>
  endpoint<Method.QueryParams, undefined, Viewer>({
    auth: (request) => auth.optional(request),
    handler: ({ params, credentials, response }) => {
      const account = viewedRepo(accounts, params.did, credentials)
      const cid = parseCid(params.cid)
      const blob = blobs.read(account, cid)
      if (blob === undefined) throw new InvalidRequestError('Blob not found')
      response.setHeader('content-length', blob.size)
      // Whatever a stranger uploaded: no browser may guess its type, show it in place, or run it.
      response.setHeader('x-content-type-options', 'nosniff')
      response.setHeader('content-disposition', `attachment; filename="${formatCid(cid)}"`)
      response.setHeader('content-security-policy', `default-src 'none'; sandbox`)
      return { encoding: blob.mimeType, stream: blob.stream }
    },
  })
