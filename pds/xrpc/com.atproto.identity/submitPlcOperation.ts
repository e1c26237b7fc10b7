import type { ComAtprotoIdentitySubmitPlcOperation as Method } from '@atproto/api'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { changesIdentity } from '../../auth/permissions.ts'
import { user } from '../auth.ts'
import { endpoint } from '../endpoint.ts'

export default endpoint<object, Method.InputSchema, PersonCredentials>({
  auth: user(),
  permission: changesIdentity,
  handle: ({ input: { operation }, credentials: { did } }, { auth, identities }) =>
    identities.submit(auth.account(did, {}), operation),
})
