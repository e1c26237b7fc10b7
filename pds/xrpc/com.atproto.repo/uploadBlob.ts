import { formatCid } from '#protocol/cid.ts'
import type { PersonCredentials, ServiceCredentials } from '../../auth/credentials.ts'
import { uploadsBlob } from '../../auth/permissions.ts'
import type { Services } from '../../services.ts'
import { endpoint, json } from '../endpoint.ts'

export default ({ auth, blobs, config, moves }: Pick<Services, 'auth' | 'blobs' | 'config' | 'moves'>) =>
  endpoint<object, AsyncIterable<Uint8Array>, PersonCredentials | ServiceCredentials>({
    auth: (exchange) => auth.accessOrService(exchange, { permission: uploadsBlob, checkTakedown: true }),
    streamBytesMax: config.blobs.bytesMax,
    handler: async ({ input, encoding, request, credentials: { did } }) => {
      const account = auth.account(did, { checkTakedown: true })
      moves.step(account)
      moves.assertRoom(account, Number(request.headers['content-length'] ?? 0))
      const { cid, mimeType, size } = await blobs.upload(account, input, encoding)
      await moves.brought(account, { blobBytes: size })
      return json({ blob: { $type: 'blob', ref: { $link: formatCid(cid) }, mimeType, size } })
    },
  })
