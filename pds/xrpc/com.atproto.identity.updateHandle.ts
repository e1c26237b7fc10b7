import type { ComAtprotoIdentityUpdateHandle as Method } from '@atproto/api'
import type { AccessCredentials } from '../auth/credentials.ts'
import type { Services } from '../services.ts'
import { endpoint } from './endpoint.ts'

export default ({ auth, accounts, didDocuments }: Pick<Services, 'auth' | 'accounts' | 'didDocuments'>) =>
  endpoint<object, Method.InputSchema, AccessCredentials>({
    auth: (request) => auth.access(request, { checkTakedown: true }),
    handler: async ({ input: { handle }, credentials: { did } }) => {
      await accounts.updateHandle(auth.account(did, {}), handle)
      await didDocuments.forget(did)
    },
  })
