import type { AccessCredentials } from '../auth/credentials.ts'
import { SCOPES_WITH_QUEUED } from '../auth/verifier.ts'
import type { Services } from '../services.ts'
import { endpoint, json } from './endpoint.ts'

/** Nobody queues here. */
export default ({ auth }: Pick<Services, 'auth'>) =>
  endpoint<object, undefined, AccessCredentials>({
    auth: (request) => auth.access(request, { scopes: SCOPES_WITH_QUEUED }),
    handler: () => json({ activated: true }),
  })
