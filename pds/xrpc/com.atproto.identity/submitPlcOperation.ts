import type { ComAtprotoIdentitySubmitPlcOperation as Method } from '@atproto/api'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { changesIdentity } from '../../auth/permissions.ts'
import type { Services } from '../../services.ts'
import { endpoint } from '../endpoint.ts'

export default ({ auth, identities }: Pick<Services, 'auth' | 'identities'>) =>
  endpoint<object, Method.InputSchema, PersonCredentials>({
    auth: (exchange) => auth.access(exchange, { permission: changesIdentity }),
    handler: ({ input: { operation }, credentials: { did } }) =>
      identities.submit(auth.account(did, {}), operation),
  })
