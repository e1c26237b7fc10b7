import type { ComAtprotoServerCreateAppPassword as Method } from '@atproto/api'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { noApp } from '../../auth/permissions.ts'
import { SCOPES_FULL } from '../../auth/verifier.ts'
import type { Services } from '../../services.ts'
import { endpoint, json } from '../endpoint.ts'

export default ({ auth, appPasswords }: Pick<Services, 'auth' | 'appPasswords'>) =>
  endpoint<object, Method.InputSchema, PersonCredentials>({
    auth: (exchange) =>
      auth.access(exchange, { permission: noApp, scopes: SCOPES_FULL, checkTakedown: true }),
    handler: async ({ input: { name, privileged = false }, credentials: { did } }) =>
      json(await appPasswords.create(auth.account(did, {}), name, privileged)),
  })
