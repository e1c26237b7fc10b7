import { formatCid } from '#protocol/cid.ts'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { anyApp } from '../../auth/permissions.ts'
import { user } from '../auth.ts'
import { endpoint, json } from '../endpoint.ts'

export default endpoint<object, undefined, PersonCredentials>({
  auth: user(),
  permission: anyApp,
  handle: async ({ credentials: { did } }, { auth, checkups, reader }) => {
    const account = auth.account(did, {})
    const checkup = await checkups.of(account)
    const { commit, rev } = reader.head(account)
    return json({ ...checkup, repoCommit: formatCid(commit), repoRev: rev, privateStateValues: 0 })
  },
})
