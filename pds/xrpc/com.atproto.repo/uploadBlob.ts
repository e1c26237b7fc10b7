import { formatCid } from '#protocol/cid.ts'
import type { PersonCredentials, ServiceCredentials } from '../../auth/credentials.ts'
import { uploadsBlob } from '../../auth/permissions.ts'
import { userOrService } from '../auth.ts'
import { endpoint, json } from '../endpoint.ts'
import { perDay } from '../rate-limits.ts'

export default endpoint<object, AsyncIterable<Uint8Array>, PersonCredentials | ServiceCredentials>({
  auth: userOrService({ checkTakedown: true }),
  permission: uploadsBlob,
  rateLimit: [perDay('uploadsDaily')],
  atOnce: 'uploads',
  streamBytesMax: ({ config }) => config.blobs.bytesMax,
  handle: async ({ input, encoding, request, credentials: { did } }, { auth, blobs, moves }) => {
    const account = auth.account(did, { checkTakedown: true })
    moves.step(account)
    moves.assertRoom(account, Number(request.headers['content-length'] ?? 0))
    const { cid, mimeType, size } = await blobs.upload(account, input, encoding)
    await moves.brought(account, { blobBytes: size })
    return json({ blob: { $type: 'blob', ref: { $link: formatCid(cid) }, mimeType, size } })
  },
})
