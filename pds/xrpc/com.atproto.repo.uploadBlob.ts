import type { Readable } from 'node:stream'
import { formatCid } from '#protocol/cid.ts'
import type { PersonCredentials, ServiceCredentials } from '../auth/credentials.ts'
import { uploadsBlob } from '../auth/permissions.ts'
import type { Services } from '../services.ts'
import { endpoint, json } from './endpoint.ts'

export default ({ auth, blobs, moves }: Pick<Services, 'auth' | 'blobs' | 'moves'>) =>
  endpoint<object, Readable, PersonCredentials | ServiceCredentials>({
    auth: (exchange) => auth.accessOrService(exchange, { permission: uploadsBlob, checkTakedown: true }),
    handler: async ({ input, encoding, request, credentials: { did } }) => {
      const account = auth.account(did, { checkTakedown: true })
      moves.step(account)
      moves.assertRoom(account, Number(request.headers['content-length'] ?? 0))
      const { cid, mimeType, size } = await blobs.upload(account, input, encoding)
      await moves.brought(account, { blobBytes: size })
      return json({ blob: { $type: 'blob', ref: { $link: formatCid(cid) }, mimeType, size } })
    },
  })
