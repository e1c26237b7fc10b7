import type { ComAtprotoServerRevokeAppPassword as Method } from '@atproto/api'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { noApp } from '../../auth/permissions.ts'
import { user } from '../auth.ts'
import { endpoint } from '../endpoint.ts'

export default endpoint<object, Method.InputSchema, PersonCredentials>({
  auth: user(),
  permission: noApp,
  protected: true,
  handle: ({ input: { name }, credentials: { did } }, { auth, appPasswords }) =>
    appPasswords.revoke(auth.account(did, {}), name),
})
