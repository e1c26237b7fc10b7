import type { PersonCredentials } from '../../auth/credentials.ts'
import { anyApp } from '../../auth/permissions.ts'
import type { Services } from '../../services.ts'
import { endpoint, json } from '../endpoint.ts'

export default ({ auth, identities }: Pick<Services, 'auth' | 'identities'>) =>
  endpoint<object, undefined, PersonCredentials>({
    auth: (exchange) => auth.access(exchange, { permission: anyApp }),
    handler: ({ credentials: { did } }) => json(identities.recommended(auth.account(did, {}))),
  })
