import type { ComAtprotoRepoPutRecord as Method } from '@atproto/api'
import { formatCid, parseCid } from '#protocol/cid.ts'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { anyApp } from '../../auth/permissions.ts'
import { hasLegacyBlobs, withTypedBlobs } from '../../repo/legacy-blobs.ts'
import { prepareRecord } from '../../repo/prepare.ts'
import { user } from '../auth.ts'
import { endpoint, json } from '../endpoint.ts'
import { repoWrites, WRITE_POINTS } from '../rate-limits.ts'
import { assertMayWrite, commitJson, optionalCid, ownRepo, uriOf, WRITE_JSON_BYTES_MAX } from '../writing.ts'

export default endpoint<object, Method.InputSchema, PersonCredentials>({
  auth: user(),
  permission: anyApp,
  rateLimit: repoWrites(() => WRITE_POINTS.update),
  jsonBytesMax: WRITE_JSON_BYTES_MAX,
  handle: async ({ input, credentials }, { auth, blobs, reader, writer }) => {
    const account = ownRepo(auth, input.repo, credentials)
    assertMayWrite(credentials, 'create', input.collection)
    assertMayWrite(credentials, 'update', input.collection)
    const swapCommit = optionalCid(input.swapCommit)
    const swapRecord = typeof input.swapRecord === 'string' ? parseCid(input.swapRecord) : input.swapRecord
    const isOldProfile =
      hasLegacyBlobs(input.collection, input.record) && reader.record(account, input) !== undefined
    const given = isOldProfile
      ? withTypedBlobs(input.record, (cid) => blobs.sizeOf(account, cid))
      : input.record
    const record = prepareRecord({
      ...input,
      record: given,
      present: () => reader.record(account, input)?.block,
    })
    const commit = await writer.write(account, [{ action: 'put', record, swapRecord }], swapCommit)
    return json({
      uri: uriOf(account.did, record.collection, record.rkey),
      cid: formatCid(record.cid),
      commit: commit === null ? undefined : commitJson(commit),
      validationStatus: record.validationStatus,
    })
  },
})
