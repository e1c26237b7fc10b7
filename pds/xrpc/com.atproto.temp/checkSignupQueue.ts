import type { PersonCredentials } from '../../auth/credentials.ts'
import { noApp } from '../../auth/permissions.ts'
import { SCOPES_WITH_QUEUED } from '../../auth/verifier.ts'
import { user } from '../auth.ts'
import { endpoint, json } from '../endpoint.ts'

/** There is no queue here. */
export default endpoint<object, undefined, PersonCredentials>({
  auth: user({ scopes: SCOPES_WITH_QUEUED }),
  permission: noApp,
  handle: () => json({ activated: true }),
})
