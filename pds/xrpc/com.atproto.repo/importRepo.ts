import { InvalidRequestError } from '@atproto/xrpc-server'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { managesRepo } from '../../auth/permissions.ts'
import type { Services } from '../../services.ts'
import { endpoint } from '../endpoint.ts'

export default ({ auth, config, imports, moves }: Pick<Services, 'auth' | 'config' | 'imports' | 'moves'>) =>
  endpoint<object, AsyncIterable<Uint8Array>, PersonCredentials>({
    auth: (exchange) =>
      auth.access(exchange, { permission: managesRepo, scopes: ['com.atproto.access'], checkTakedown: true }),
    streamBytesMax: config.imports.bytesMax,
    handler: async ({ input, request, credentials: { did } }) => {
      if (!config.imports.accepted) throw new InvalidRequestError('Service is not accepting repo imports')
      const account = auth.account(did, {})
      moves.assertRoom(account, Number(request.headers['content-length'] ?? 0))
      let repoBytes = 0
      const counted = async function* () {
        for await (const chunk of input) {
          repoBytes += chunk.length
          yield chunk
        }
      }
      await imports.import(account, counted())
      await moves.brought(account, { repoBytes })
    },
  })
