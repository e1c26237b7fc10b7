import type { RefreshCredentials } from '../../auth/credentials.ts'
import { refresh } from '../auth.ts'
import { endpoint } from '../endpoint.ts'

export default endpoint<object, undefined, RefreshCredentials>({
  auth: refresh({ allowExpired: true }),
  handle: ({ credentials: { tokenId } }, { sessions }) => sessions.revoke(tokenId),
})
