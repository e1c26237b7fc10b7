import type { ComAtprotoIdentityResolveIdentity as Method } from '@atproto/api'
import type { Services } from '../../services.ts'
import { endpoint, json } from '../endpoint.ts'
import { identityInfo } from '../identity.ts'

export default (parts: Pick<Services, 'accounts' | 'handles' | 'didDocuments'>) =>
  endpoint<Method.QueryParams>({
    handler: async ({ params: { identifier } }) => json(await identityInfo(parts, identifier)),
  })
