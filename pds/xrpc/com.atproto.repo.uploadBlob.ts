import type { Readable } from 'node:stream'
import { formatCid } from '#protocol/cid.ts'
import type { AccessCredentials } from '../auth/credentials.ts'
import type { Services } from '../services.ts'
import { endpoint, json } from './endpoint.ts'

export default ({ auth, blobs }: Pick<Services, 'auth' | 'blobs'>) =>
  endpoint<object, Readable, AccessCredentials>({
    auth: (request) => auth.access(request, { checkTakedown: true }),
    handler: async ({ input, encoding, credentials: { did } }) => {
      const { cid, mimeType, size } = await blobs.upload(auth.account(did, {}), input, encoding)
      return json({ blob: { $type: 'blob', ref: { $link: formatCid(cid) }, mimeType, size } })
    },
  })
