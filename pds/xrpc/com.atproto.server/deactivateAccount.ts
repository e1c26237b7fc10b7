import type { ComAtprotoServerDeactivateAccount as Method } from '@atproto/api'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { managesStatus } from '../../auth/permissions.ts'
import { SCOPES_FULL_EVEN_TAKENDOWN } from '../../auth/verifier.ts'
import type { Services } from '../../services.ts'
import { endpoint } from '../endpoint.ts'

const isTakendown = (credentials: PersonCredentials): boolean =>
  credentials.type === 'access' && credentials.scope === 'com.atproto.takendown'

export default ({ auth, standing }: Pick<Services, 'auth' | 'standing'>) =>
  endpoint<object, Method.InputSchema, PersonCredentials>({
    auth: (exchange) =>
      auth.access(exchange, { permission: managesStatus, scopes: SCOPES_FULL_EVEN_TAKENDOWN }),
    handler: ({ input: { deleteAfter }, credentials }) =>
      standing.deactivate(credentials.did, {
        // Who was taken down may leave, and not take away what the moderators look at.
        deleteAfter: deleteAfter && !isTakendown(credentials) ? new Date(deleteAfter) : undefined,
        // The app itself goes on: it could not be let in again to activate the account.
        endApps: credentials.type === 'app' ? { except: credentials.tokenId } : undefined,
      }),
  })
