import { formatCid } from '#protocol/cid.ts'
import type { AccessCredentials } from '../auth/credentials.ts'
import type { Services } from '../services.ts'
import { endpoint, json } from './endpoint.ts'

export default ({ auth, checkups, reader }: Pick<Services, 'auth' | 'checkups' | 'reader'>) =>
  endpoint<object, undefined, AccessCredentials>({
    auth: (request) => auth.access(request),
    handler: async ({ credentials: { did } }) => {
      const account = auth.account(did, {})
      const checkup = await checkups.of(account)
      const { commit, rev } = reader.head(account)
      return json({ ...checkup, repoCommit: formatCid(commit), repoRev: rev, privateStateValues: 0 })
    },
  })
