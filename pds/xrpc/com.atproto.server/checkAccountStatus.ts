import { formatCid } from '#protocol/cid.ts'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { anyApp } from '../../auth/permissions.ts'
import type { Services } from '../../services.ts'
import { endpoint, json } from '../endpoint.ts'

export default ({ auth, checkups, reader }: Pick<Services, 'auth' | 'checkups' | 'reader'>) =>
  endpoint<object, undefined, PersonCredentials>({
    auth: (exchange) => auth.access(exchange, { permission: anyApp }),
    handler: async ({ credentials: { did } }) => {
      const account = auth.account(did, {})
      const checkup = await checkups.of(account)
      const { commit, rev } = reader.head(account)
      return json({ ...checkup, repoCommit: formatCid(commit), repoRev: rev, privateStateValues: 0 })
    },
  })
