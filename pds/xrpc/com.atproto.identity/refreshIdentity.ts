import type { ComAtprotoIdentityRefreshIdentity as Method } from '@atproto/api'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { anyApp } from '../../auth/permissions.ts'
import { user } from '../auth.ts'
import { endpoint, json } from '../endpoint.ts'
import { identityInfo } from '../identity.ts'

// What is kept of documents spares the directory questions: strangers do not throw it away.
export default endpoint<object, Method.InputSchema, PersonCredentials>({
  auth: user(),
  permission: anyApp,
  handle: async ({ input: { identifier } }, parts) =>
    json(await identityInfo(parts, identifier, { fresh: true })),
})
