import type { ComAtprotoIdentitySubmitPlcOperation as Method } from '@atproto/api'
import type { AccessCredentials } from '../auth/credentials.ts'
import type { Services } from '../services.ts'
import { endpoint } from './endpoint.ts'

export default ({ auth, identities }: Pick<Services, 'auth' | 'identities'>) =>
  endpoint<object, Method.InputSchema, AccessCredentials>({
    auth: (request) => auth.access(request),
    handler: ({ input: { operation }, credentials: { did } }) =>
      identities.submit(auth.account(did, {}), operation),
  })
