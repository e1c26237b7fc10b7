import type { ComAtprotoSyncGetBlob as Method } from '@atproto/api'
import { InvalidRequestError, ResponseType, XRPCError } from '@atproto/xrpc-server'
import { formatCid, parseCid } from '#protocol/cid.ts'
import { anyApp } from '../../auth/permissions.ts'
import { SCOPES_EVEN_TAKENDOWN } from '../../auth/verifier.ts'
import { viewer } from '../auth.ts'
import { endpoint } from '../endpoint.ts'
import { parseRange } from '../ranges.ts'
import { type Viewer, viewedRepo } from '../viewing.ts'

/** A status that XRPC has no name for. */
const RANGE_NOT_SATISFIABLE = 416 as ResponseType
const PARTIAL_CONTENT = 206
/** What a player on another site's page reads of a part. */
const RANGE_HEADERS = 'Accept-Ranges, Content-Length, Content-Range'
/**
 * What a browser would run, were it let: a page of this host must not take its scripts out of
 * strangers' blobs.
 */
const RUN: ReadonlySet<string> = new Set([
  'audioworklet',
  'paintworklet',
  'script',
  'serviceworker',
  'sharedworker',
  'style',
  'worker',
  'xslt',
])

export default endpoint<Method.QueryParams, undefined, Viewer>({
  auth: viewer({ scopes: SCOPES_EVEN_TAKENDOWN }),
  permission: anyApp,
  atOnce: 'downloads',
  handle: async ({ params, credentials, request, response }, { accounts, blobs }) => {
    if (RUN.has(String(request.headers['sec-fetch-dest']))) {
      throw new XRPCError(ResponseType.Forbidden, 'Blobs are not run', 'Forbidden')
    }
    const account = viewedRepo(accounts, params.did, credentials)
    const cid = parseCid(params.cid)
    const blob = blobs.find(account, cid)
    if (blob === undefined) throw new InvalidRequestError('Blob not found')
    // A range of what the client saw before (`If-Range`): no name for that was given out, so it
    // gets all of it.
    const { range: asked, 'if-range': ifRange } = request.headers
    response.appendHeader('Access-Control-Expose-Headers', RANGE_HEADERS)
    const range = ifRange === undefined ? parseRange(asked, blob.size) : undefined
    if (range === null) {
      response.setHeader('content-range', `bytes */${blob.size}`)
      throw new XRPCError(RANGE_NOT_SATISFIABLE, 'The blob has no such bytes', 'RangeNotSatisfiable')
    }
    const stream = await blob.open(range)
    if (stream === undefined) throw new InvalidRequestError('Blob not found')
    response.setHeader('accept-ranges', 'bytes')
    // Whatever a stranger uploaded: no browser may guess its type, show it in place, or run it.
    response.setHeader('content-disposition', `attachment; filename="${formatCid(cid)}"`)
    const encoding = blob.mimeType || 'application/octet-stream'
    if (range === undefined) {
      response.setHeader('content-length', blob.size)
      return { encoding, stream }
    }
    response.setHeader('content-length', range.last - range.first + 1)
    response.setHeader('content-range', `bytes ${range.first}-${range.last}/${blob.size}`)
    return { encoding, stream, status: PARTIAL_CONTENT }
  },
})
