import type { ComAtprotoRepoCreateRecord as Method } from '@atproto/api'
import { formatCid } from '#protocol/cid.ts'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { anyApp } from '../../auth/permissions.ts'
import { prepareRecord } from '../../repo/prepare.ts'
import { user } from '../auth.ts'
import { endpoint, json } from '../endpoint.ts'
import { repoWrites, WRITE_POINTS } from '../rate-limits.ts'
import { assertMayWrite, commitJson, optionalCid, ownRepo, uriOf, WRITE_JSON_BYTES_MAX } from '../writing.ts'

export default endpoint<object, Method.InputSchema, PersonCredentials>({
  auth: user(),
  permission: anyApp,
  rateLimit: repoWrites(() => WRITE_POINTS.create),
  jsonBytesMax: WRITE_JSON_BYTES_MAX,
  handle: async ({ input, credentials }, { auth, writer }) => {
    const account = ownRepo(auth, input.repo, credentials)
    assertMayWrite(credentials, 'create', input.collection)
    const swapCommit = optionalCid(input.swapCommit)
    const record = prepareRecord(input)
    const replaceSameSubject = input.validate !== false
    const commit = await writer.write(account, [{ action: 'create', record, replaceSameSubject }], swapCommit)
    return json({
      uri: uriOf(account.did, record.collection, record.rkey),
      cid: formatCid(record.cid),
      commit: commit && commitJson(commit),
      validationStatus: record.validationStatus,
    })
  },
})
