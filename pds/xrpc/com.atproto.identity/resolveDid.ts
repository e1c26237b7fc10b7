import type { ComAtprotoIdentityResolveDid as Method } from '@atproto/api'
import { endpoint, json } from '../endpoint.ts'

export default endpoint<Method.QueryParams>({
  handle: async ({ params: { did } }, { didDocuments }) => json({ didDoc: await didDocuments.resolve(did) }),
})
