import type { ComAtprotoIdentityUpdateHandle as Method } from '@atproto/api'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { changesHandle } from '../../auth/permissions.ts'
import type { Services } from '../../services.ts'
import { endpoint } from '../endpoint.ts'

export default ({ auth, accounts, didDocuments }: Pick<Services, 'auth' | 'accounts' | 'didDocuments'>) =>
  endpoint<object, Method.InputSchema, PersonCredentials>({
    auth: (exchange) => auth.access(exchange, { permission: changesHandle, checkTakedown: true }),
    handler: async ({ input: { handle }, credentials: { did } }) => {
      await accounts.updateHandle(auth.account(did, {}), handle)
      await didDocuments.forget(did)
    },
  })
