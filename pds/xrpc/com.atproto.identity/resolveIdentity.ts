import type { ComAtprotoIdentityResolveIdentity as Method } from '@atproto/api'
import { endpoint, json } from '../endpoint.ts'
import { identityInfo } from '../identity.ts'

export default endpoint<Method.QueryParams>({
  handle: async ({ params: { identifier } }, parts) => json(await identityInfo(parts, identifier)),
})
