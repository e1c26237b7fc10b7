import type { PersonCredentials } from '../../auth/credentials.ts'
import { managesStatus } from '../../auth/permissions.ts'
import { SCOPES_FULL } from '../../auth/verifier.ts'
import { user } from '../auth.ts'
import { endpoint } from '../endpoint.ts'

export default endpoint<object, undefined, PersonCredentials>({
  auth: user({ scopes: SCOPES_FULL }),
  permission: managesStatus,
  protected: true,
  handle: ({ credentials: { did } }, { standing }) => standing.activate(did),
})
