import type { AccessCredentials } from '../auth/credentials.ts'
import type { Services } from '../services.ts'
import { endpoint, json } from './endpoint.ts'

export default ({ auth, identities }: Pick<Services, 'auth' | 'identities'>) =>
  endpoint<object, undefined, AccessCredentials>({
    auth: (request) => auth.access(request),
    handler: ({ credentials: { did } }) => json(identities.recommended(auth.account(did, {}))),
  })
