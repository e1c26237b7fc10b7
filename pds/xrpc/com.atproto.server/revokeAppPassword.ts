import type { ComAtprotoServerRevokeAppPassword as Method } from '@atproto/api'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { noApp } from '../../auth/permissions.ts'
import type { Services } from '../../services.ts'
import { endpoint } from '../endpoint.ts'

export default ({ auth, appPasswords }: Pick<Services, 'auth' | 'appPasswords'>) =>
  endpoint<object, Method.InputSchema, PersonCredentials>({
    auth: (exchange) => auth.access(exchange, { permission: noApp }),
    handler: ({ input: { name }, credentials: { did } }) => appPasswords.revoke(auth.account(did, {}), name),
  })
