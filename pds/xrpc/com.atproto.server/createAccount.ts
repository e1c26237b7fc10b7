import type { ComAtprotoServerCreateAccount as Method } from '@atproto/api'
import { InvalidRequestError } from '@atproto/xrpc-server'
import type { ServiceCredentials } from '../../auth/credentials.ts'
import { optionalService } from '../auth.ts'
import { endpoint, json } from '../endpoint.ts'
import { perMinutes } from '../rate-limits.ts'

export default endpoint<object, Method.InputSchema, ServiceCredentials | null>({
  auth: optionalService,
  rateLimit: [perMinutes(5, 'signUpsIn5Minutes')],
  handle: async ({ input, credentials, request }, { accountCreation, didDocuments }) => {
    if (input.plcOp !== undefined) throw new InvalidRequestError('Unsupported input: "plcOp"')
    const requester = credentials?.did
    // Express's, which knows the proxies in front.
    const { ip: address } = request as { ip?: string }
    const { did, handle, accessJwt, refreshJwt } = await accountCreation.create(input, { requester, address })
    const didDoc = await didDocuments.find(did, { fresh: true })
    return json({ handle, did, didDoc, accessJwt, refreshJwt })
  },
})
