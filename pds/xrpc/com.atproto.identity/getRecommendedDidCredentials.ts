import type { PersonCredentials } from '../../auth/credentials.ts'
import { anyApp } from '../../auth/permissions.ts'
import { user } from '../auth.ts'
import { endpoint, json } from '../endpoint.ts'

export default endpoint<object, undefined, PersonCredentials>({
  auth: user(),
  permission: anyApp,
  handle: ({ credentials: { did } }, { auth, identities }) =>
    json(identities.recommended(auth.account(did, {}))),
})
