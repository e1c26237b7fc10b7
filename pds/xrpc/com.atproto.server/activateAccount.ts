import type { PersonCredentials } from '../../auth/credentials.ts'
import { managesStatus } from '../../auth/permissions.ts'
import { SCOPES_FULL } from '../../auth/verifier.ts'
import type { Services } from '../../services.ts'
import { endpoint } from '../endpoint.ts'

export default ({ auth, standing }: Pick<Services, 'auth' | 'standing'>) =>
  endpoint<object, undefined, PersonCredentials>({
    auth: (exchange) => auth.access(exchange, { permission: managesStatus, scopes: SCOPES_FULL }),
    handler: ({ credentials: { did } }) => standing.activate(did),
  })
