import type { ComAtprotoModerationCreateReport as Method } from '@atproto/api'
import { lexToJson } from '@atproto/lexicon'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { SCOPES_EVEN_TAKENDOWN } from '../../auth/verifier.ts'
import { proxies, user } from '../auth.ts'
import { endpoint, json } from '../endpoint.ts'

const NSID = 'com.atproto.moderation.createReport'

export default endpoint<object, Method.InputSchema, PersonCredentials>({
  auth: user({ scopes: SCOPES_EVEN_TAKENDOWN }),
  permission: proxies(NSID),
  handle: async ({ request, input, credentials: { did } }, { proxy }) =>
    json((await proxy.ask({ nsid: NSID, request }, { did }, lexToJson(input))) as object),
})
