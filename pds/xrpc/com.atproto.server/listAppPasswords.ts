import type { PersonCredentials } from '../../auth/credentials.ts'
import { noApp } from '../../auth/permissions.ts'
import type { Services } from '../../services.ts'
import { endpoint, json } from '../endpoint.ts'

export default ({ auth, appPasswords }: Pick<Services, 'auth' | 'appPasswords'>) =>
  endpoint<object, undefined, PersonCredentials>({
    auth: (exchange) => auth.access(exchange, { permission: noApp }),
    handler: ({ credentials: { did } }) => json({ passwords: appPasswords.list(auth.account(did, {})) }),
  })
