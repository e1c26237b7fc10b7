import type { AccessCredentials } from '../auth/credentials.ts'
import { SCOPES_FULL } from '../auth/verifier.ts'
import type { Services } from '../services.ts'
import { endpoint } from './endpoint.ts'

export default ({ auth, standing }: Pick<Services, 'auth' | 'standing'>) =>
  endpoint<object, undefined, AccessCredentials>({
    auth: (request) => auth.access(request, { scopes: SCOPES_FULL }),
    handler: ({ credentials: { did } }) => standing.activate(did),
  })
