import type { ComAtprotoIdentityRefreshIdentity as Method } from '@atproto/api'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { anyApp } from '../../auth/permissions.ts'
import type { Services } from '../../services.ts'
import { endpoint, json } from '../endpoint.ts'
import { identityInfo } from '../identity.ts'

// What is kept of documents spares the directory questions: strangers do not throw it away.
export default (parts: Pick<Services, 'auth' | 'accounts' | 'handles' | 'didDocuments'>) =>
  endpoint<object, Method.InputSchema, PersonCredentials>({
    auth: (exchange) => parts.auth.access(exchange, { permission: anyApp }),
    handler: async ({ input: { identifier } }) =>
      json(await identityInfo(parts, identifier, { fresh: true })),
  })
