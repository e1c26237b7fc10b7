import type { PersonCredentials } from '../../auth/credentials.ts'
import { noApp } from '../../auth/permissions.ts'
import { user } from '../auth.ts'
import { endpoint, json } from '../endpoint.ts'

export default endpoint<object, undefined, PersonCredentials>({
  auth: user(),
  permission: noApp,
  protected: true,
  handle: ({ credentials: { did } }, { auth, appPasswords }) =>
    json({ passwords: appPasswords.list(auth.account(did, {})) }),
})
