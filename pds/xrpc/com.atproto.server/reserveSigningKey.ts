import type { ComAtprotoServerReserveSigningKey as Method } from '@atproto/api'
import { endpoint, json } from '../endpoint.ts'

export default endpoint<object, Method.InputSchema>({
  handle: async ({ input: { did } }, { reservedKeys }) =>
    json({ signingKey: await reservedKeys.reserve(did) }),
})
