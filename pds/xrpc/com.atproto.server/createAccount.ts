import type { ComAtprotoServerCreateAccount as Method } from '@atproto/api'
import { InvalidRequestError } from '@atproto/xrpc-server'
import type { ServiceCredentials } from '../../auth/credentials.ts'
import type { Services } from '../../services.ts'
import { endpoint, json } from '../endpoint.ts'

export default ({ auth, accounts, didDocuments }: Pick<Services, 'auth' | 'accounts' | 'didDocuments'>) =>
  endpoint<object, Method.InputSchema, ServiceCredentials | null>({
    auth: ({ request }) => auth.optionalService(request),
    handler: async ({ input, credentials, request }) => {
      if (input.plcOp !== undefined) throw new InvalidRequestError('Unsupported input: "plcOp"')
      const requester = credentials?.did
      // Express's, which knows the proxies in front.
      const { ip: address } = request as { ip?: string }
      const { did, handle, accessJwt, refreshJwt } = await accounts.create(input, { requester, address })
      const didDoc = await didDocuments.find(did, { fresh: true })
      return json({ handle, did, didDoc, accessJwt, refreshJwt })
    },
  })
