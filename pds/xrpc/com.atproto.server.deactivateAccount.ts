import type { ComAtprotoServerDeactivateAccount as Method } from '@atproto/api'
import type { AccessCredentials } from '../auth/credentials.ts'
import { SCOPES_FULL_EVEN_TAKENDOWN } from '../auth/verifier.ts'
import type { Services } from '../services.ts'
import { endpoint } from './endpoint.ts'

export default ({ auth, standing }: Pick<Services, 'auth' | 'standing'>) =>
  endpoint<object, Method.InputSchema, AccessCredentials>({
    auth: (request) => auth.access(request, { scopes: SCOPES_FULL_EVEN_TAKENDOWN }),
    handler: ({ input: { deleteAfter }, credentials: { did } }) =>
      standing.deactivate(did, deleteAfter ? new Date(deleteAfter) : undefined),
  })
