import type { ComAtprotoServerReserveSigningKey as Method } from '@atproto/api'
import type { Services } from '../../services.ts'
import { endpoint, json } from '../endpoint.ts'

export default ({ reservedKeys }: Pick<Services, 'reservedKeys'>) =>
  endpoint<object, Method.InputSchema>({
    handler: async ({ input: { did } }) => json({ signingKey: await reservedKeys.reserve(did) }),
  })
