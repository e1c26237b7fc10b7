import { InvalidRequestError } from '@atproto/xrpc-server'
import type { PersonCredentials } from '../auth/credentials.ts'
import { managesRepo } from '../auth/permissions.ts'
import type { Services } from '../services.ts'
import { endpoint } from './endpoint.ts'

export default ({ auth, config, imports }: Pick<Services, 'auth' | 'config' | 'imports'>) =>
  endpoint<object, AsyncIterable<Uint8Array>, PersonCredentials>({
    auth: (exchange) =>
      auth.access(exchange, { permission: managesRepo, scopes: ['com.atproto.access'], checkTakedown: true }),
    streamBytesMax: config.imports.bytesMax,
    handler: async ({ input, credentials: { did } }) => {
      if (!config.imports.accepted) throw new InvalidRequestError('Service is not accepting repo imports')
      await imports.import(auth.account(did, {}), input)
    },
  })
