import type { ComAtprotoIdentityResolveDid as Method } from '@atproto/api'
import type { Services } from '../../services.ts'
import { endpoint, json } from '../endpoint.ts'

export default ({ didDocuments }: Pick<Services, 'didDocuments'>) =>
  endpoint<Method.QueryParams>({
    handler: async ({ params: { did } }) => json({ didDoc: await didDocuments.resolve(did) }),
  })
