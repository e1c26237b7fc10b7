import type { RefreshCredentials } from '../../auth/credentials.ts'
import type { Services } from '../../services.ts'
import { endpoint } from '../endpoint.ts'

export default ({ auth, sessions }: Pick<Services, 'auth' | 'sessions'>) =>
  endpoint<object, undefined, RefreshCredentials>({
    auth: ({ request }) => auth.refresh(request, { allowExpired: true }),
    handler: ({ credentials: { tokenId } }) => sessions.revoke(tokenId),
  })
