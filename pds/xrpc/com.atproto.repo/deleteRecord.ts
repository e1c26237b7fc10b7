import type { ComAtprotoRepoDeleteRecord as Method } from '@atproto/api'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { anyApp } from '../../auth/permissions.ts'
import { user } from '../auth.ts'
import { endpoint, json } from '../endpoint.ts'
import { repoWrites, WRITE_POINTS } from '../rate-limits.ts'
import { assertMayWrite, commitJson, optionalCid, ownRepo } from '../writing.ts'

export default endpoint<object, Method.InputSchema, PersonCredentials>({
  auth: user(),
  permission: anyApp,
  rateLimit: repoWrites(() => WRITE_POINTS.delete),
  handle: async ({ input, credentials }, { auth, writer }) => {
    const account = ownRepo(auth, input.repo, credentials)
    assertMayWrite(credentials, 'delete', input.collection)
    const path = { collection: input.collection, rkey: input.rkey }
    const swapRecord = optionalCid(input.swapRecord)
    const swapCommit = optionalCid(input.swapCommit)
    const commit = await writer.write(
      account,
      [{ action: 'delete', path, ifThere: true, swapRecord }],
      swapCommit,
    )
    return json({ commit: commit === null ? undefined : commitJson(commit) })
  },
})
