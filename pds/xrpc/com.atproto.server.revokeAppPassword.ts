import type { ComAtprotoServerRevokeAppPassword as Method } from '@atproto/api'
import type { AccessCredentials } from '../auth/credentials.ts'
import type { Services } from '../services.ts'
import { endpoint } from './endpoint.ts'

export default ({ auth, appPasswords }: Pick<Services, 'auth' | 'appPasswords'>) =>
  endpoint<object, Method.InputSchema, AccessCredentials>({
    auth: (request) => auth.access(request),
    handler: ({ input: { name }, credentials: { did } }) => appPasswords.revoke(auth.account(did, {}), name),
  })
