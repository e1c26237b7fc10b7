import type { PersonCredentials } from '../../auth/credentials.ts'
import { noApp } from '../../auth/permissions.ts'
import { SCOPES_WITH_QUEUED } from '../../auth/verifier.ts'
import type { Services } from '../../services.ts'
import { endpoint, json } from '../endpoint.ts'

/** Nobody queues here. */
export default ({ auth }: Pick<Services, 'auth'>) =>
  endpoint<object, undefined, PersonCredentials>({
    auth: (exchange) => auth.access(exchange, { permission: noApp, scopes: SCOPES_WITH_QUEUED }),
    handler: () => json({ activated: true }),
  })
