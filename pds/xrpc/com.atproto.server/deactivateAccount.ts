import type { ComAtprotoServerDeactivateAccount as Method } from '@atproto/api'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { managesStatus } from '../../auth/permissions.ts'
import { SCOPES_FULL_EVEN_TAKENDOWN } from '../../auth/verifier.ts'
import { user } from '../auth.ts'
import { endpoint } from '../endpoint.ts'
import { MAIL_LIMITS } from '../rate-limits.ts'

const isTakendown = (credentials: PersonCredentials): boolean =>
  credentials.type === 'access' && credentials.scope === 'com.atproto.takendown'

export default endpoint<object, Method.InputSchema, PersonCredentials>({
  auth: user({ scopes: SCOPES_FULL_EVEN_TAKENDOWN }),
  permission: managesStatus,
  rateLimit: MAIL_LIMITS,
  protected: true,
  handle: ({ input: { deleteAfter }, credentials }, { standing }) =>
    standing.deactivate(credentials.did, {
      // Who was taken down may leave, and not take away what the moderators look at.
      deleteAfter: deleteAfter && !isTakendown(credentials) ? new Date(deleteAfter) : undefined,
      // The calling client's session stays: it could not sign in again to activate the account.
      endApps: credentials.type === 'app' ? { except: credentials.tokenId } : undefined,
    }),
})
