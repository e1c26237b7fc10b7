import type { ComAtprotoServerCreateAccount as Method } from '@atproto/api'
import { InvalidRequestError } from '@atproto/xrpc-server'
import type { Services } from '../services.ts'
import { endpoint, json } from './endpoint.ts'

export default ({ accounts, didDocuments }: Pick<Services, 'accounts' | 'didDocuments'>) =>
  endpoint<object, Method.InputSchema>({
    handler: async ({ input }) => {
      if (input.plcOp !== undefined) throw new InvalidRequestError('Unsupported input: "plcOp"')
      if (input.did !== undefined)
        throw new InvalidRequestError('Bringing an identity of your own is not supported yet')
      const { did, handle, accessJwt, refreshJwt } = await accounts.create(input)
      return json({ handle, did, didDoc: await didDocuments.find(did), accessJwt, refreshJwt })
    },
  })
