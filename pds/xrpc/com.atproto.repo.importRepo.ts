import type { Readable } from 'node:stream'
import { InvalidRequestError } from '@atproto/xrpc-server'
import type { AccessCredentials } from '../auth/credentials.ts'
import type { Services } from '../services.ts'
import { endpoint } from './endpoint.ts'

export default ({ auth, config, imports }: Pick<Services, 'auth' | 'config' | 'imports'>) =>
  endpoint<object, Readable, AccessCredentials>({
    auth: (request) => auth.access(request, { scopes: ['com.atproto.access'], checkTakedown: true }),
    streamBytesMax: config.imports.bytesMax ?? Number.POSITIVE_INFINITY,
    handler: async ({ input, credentials: { did } }) => {
      if (!config.imports.accepted) throw new InvalidRequestError('Service is not accepting repo imports')
      await imports.import(auth.account(did, {}), input)
    },
  })
