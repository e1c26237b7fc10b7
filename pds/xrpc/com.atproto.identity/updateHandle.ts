import type { ComAtprotoIdentityUpdateHandle as Method } from '@atproto/api'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { changesHandle } from '../../auth/permissions.ts'
import { user } from '../auth.ts'
import { endpoint } from '../endpoint.ts'
import { account, perDay, perMinutes } from '../rate-limits.ts'

export default endpoint<object, Method.InputSchema, PersonCredentials>({
  auth: user({ checkTakedown: true }),
  permission: changesHandle,
  rateLimit: [perMinutes(5, 'handlesIn5Minutes', account), perDay('handlesDaily', account)],
  protected: true,
  handle: async ({ input: { handle }, credentials: { did } }, { auth, handleChanges, didDocuments }) => {
    await handleChanges.update(auth.account(did, {}), handle)
    await didDocuments.forget(did)
  },
})
