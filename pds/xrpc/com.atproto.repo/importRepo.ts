import { InvalidRequestError } from '@atproto/xrpc-server'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { managesRepo } from '../../auth/permissions.ts'
import { user } from '../auth.ts'
import { endpoint } from '../endpoint.ts'

export default endpoint<object, AsyncIterable<Uint8Array>, PersonCredentials>({
  auth: user({ scopes: ['com.atproto.access'], checkTakedown: true }),
  permission: managesRepo,
  atOnce: 'imports',
  streamBytesMax: ({ config }) => config.imports.bytesMax,
  handle: async ({ input, request, credentials: { did } }, { auth, config, imports, moves }) => {
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
