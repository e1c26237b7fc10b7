import { formatCid } from '#protocol/cid.ts'
import type { PersonCredentials, ServiceCredentials } from '../auth/credentials.ts'
import { uploadsBlob } from '../auth/permissions.ts'
import type { Services } from '../services.ts'
import { endpoint, json } from './endpoint.ts'

export default ({ auth, blobs, config }: Pick<Services, 'auth' | 'blobs' | 'config'>) =>
  endpoint<object, AsyncIterable<Uint8Array>, PersonCredentials | ServiceCredentials>({
    auth: (exchange) => auth.accessOrService(exchange, { permission: uploadsBlob, checkTakedown: true }),
    streamBytesMax: config.blobs.bytesMax,
    handler: async ({ input, encoding, credentials: { did } }) => {
      const { cid, mimeType, size } = await blobs.upload(auth.account(did, {}), input, encoding)
      return json({ blob: { $type: 'blob', ref: { $link: formatCid(cid) }, mimeType, size } })
    },
  })
