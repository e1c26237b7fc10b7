import type { Readable } from 'node:stream'
import { formatCid } from '#protocol/cid.ts'
import type { PersonCredentials, ServiceCredentials } from '../auth/credentials.ts'
import { uploadsBlob } from '../auth/permissions.ts'
import type { Services } from '../services.ts'
import { endpoint, json } from './endpoint.ts'

export default ({ auth, blobs }: Pick<Services, 'auth' | 'blobs'>) =>
  endpoint<object, Readable, PersonCredentials | ServiceCredentials>({
    auth: (exchange) => auth.accessOrService(exchange, { permission: uploadsBlob, checkTakedown: true }),
    handler: async ({ input, encoding, credentials: { did } }) => {
      const { cid, mimeType, size } = await blobs.upload(auth.account(did, {}), input, encoding)
      return json({ blob: { $type: 'blob', ref: { $link: formatCid(cid) }, mimeType, size } })
    },
  })
