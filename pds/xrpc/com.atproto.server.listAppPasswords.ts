import type { AccessCredentials } from '../auth/credentials.ts'
import type { Services } from '../services.ts'
import { endpoint, json } from './endpoint.ts'

export default ({ auth, appPasswords }: Pick<Services, 'auth' | 'appPasswords'>) =>
  endpoint<object, undefined, AccessCredentials>({
    auth: (request) => auth.access(request),
    handler: ({ credentials: { did } }) => json({ passwords: appPasswords.list(auth.account(did, {})) }),
  })
