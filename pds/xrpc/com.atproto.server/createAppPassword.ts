import type { ComAtprotoServerCreateAppPassword as Method } from '@atproto/api'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { noApp } from '../../auth/permissions.ts'
import { SCOPES_FULL } from '../../auth/verifier.ts'
import { user } from '../auth.ts'
import { endpoint, json } from '../endpoint.ts'

export default endpoint<object, Method.InputSchema, PersonCredentials>({
  auth: user({ scopes: SCOPES_FULL, checkTakedown: true }),
  permission: noApp,
  protected: true,
  handle: async ({ input: { name, privileged = false }, credentials: { did } }, { auth, appPasswords }) =>
    json(await appPasswords.create(auth.account(did, {}), name, privileged)),
})
