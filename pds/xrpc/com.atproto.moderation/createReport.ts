import type { ComAtprotoModerationCreateReport as Method } from '@atproto/api'
import { lexToJson } from '@atproto/lexicon'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { SCOPES_EVEN_TAKENDOWN } from '../../auth/verifier.ts'
import type { Services } from '../../services.ts'
import { endpoint, json } from '../endpoint.ts'

const NSID = 'com.atproto.moderation.createReport'

export default ({ auth, proxy }: Pick<Services, 'auth' | 'proxy'>) =>
  endpoint<object, Method.InputSchema, PersonCredentials>({
    auth: (exchange) =>
      auth.access(exchange, { permission: proxy.permission(NSID), scopes: SCOPES_EVEN_TAKENDOWN }),
    handler: async ({ request, input, credentials: { did } }) =>
      json((await proxy.ask({ nsid: NSID, request }, { did }, lexToJson(input))) as object),
  })
