import { ComAtprotoRepoApplyWrites as Method } from '@atproto/api'
import { InvalidRequestError } from '@atproto/xrpc-server'
import { formatCid } from '#protocol/cid.ts'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { anyApp } from '../../auth/permissions.ts'
import type { Write } from '../../repo/change.ts'
import { prepareRecord } from '../../repo/prepare.ts'
import { WRITES_MAX } from '../../repo/write.ts'
import { user } from '../auth.ts'
import { endpoint, json } from '../endpoint.ts'
import { repoWrites, WRITE_POINTS } from '../rate-limits.ts'
import { assertMayWrite, commitJson, optionalCid, ownRepo, uriOf, WRITE_JSON_BYTES_MAX } from '../writing.ts'

export default endpoint<object, Method.InputSchema, PersonCredentials>({
  auth: user(),
  permission: anyApp,
  rateLimit: repoWrites(pointsOf),
  jsonBytesMax: WRITE_JSON_BYTES_MAX,
  handle: async ({ input, credentials }, { auth, reader, writer }) => {
    const account = ownRepo(auth, input.repo, credentials)
    if (input.writes.length > WRITES_MAX) throw new InvalidRequestError(`Too many writes. Max: ${WRITES_MAX}`)
    for (const write of input.writes) {
      const action = actionOf(write)
      if (action !== undefined) assertMayWrite(credentials, action, write.collection)
    }
    const writes = input.writes.map((write, n) =>
      toWrite(write, ['writes', n, 'record'], input.validate, (path) => reader.record(account, path)?.block),
    )
    const commit = await writer.write(account, writes, optionalCid(input.swapCommit))
    return json({
      commit: commit === null ? undefined : commitJson(commit),
      results: writes.map((write) => toResult(account.did, write)),
    })
  },
})

function toWrite(
  write: Method.InputSchema['writes'][number],
  path: (string | number)[],
  validate: boolean | undefined,
  blockAt: (path: { collection: string; rkey: string }) => Uint8Array | undefined,
): Write {
  if (Method.isCreate(write)) {
    const { collection, rkey, value } = write
    return { action: 'create', record: prepareRecord({ collection, rkey, validate, path, record: value }) }
  }
  if (Method.isUpdate(write)) {
    const { collection, rkey, value } = write
    const present = () => blockAt({ collection, rkey })
    const record = prepareRecord({ collection, rkey, validate, path, record: value, present })
    return { action: 'update', record }
  }
  if (Method.isDelete(write)) {
    return { action: 'delete', path: { collection: write.collection, rkey: write.rkey } }
  }
  throw new InvalidRequestError(
    `Action not supported: ${String((write as { $type?: unknown }).$type).slice(0, 300)}`,
  )
}

function actionOf(write: Method.InputSchema['writes'][number]): 'create' | 'update' | 'delete' | undefined {
  if (Method.isCreate(write)) return 'create'
  if (Method.isUpdate(write)) return 'update'
  return Method.isDelete(write) ? 'delete' : undefined
}

function pointsOf(input: unknown): number {
  const { writes } = input as Method.InputSchema
  return writes.reduce((points, write) => points + WRITE_POINTS[actionOf(write) ?? 'delete'], 0)
}

function toResult(did: string, write: Write): object {
  const $type = `com.atproto.repo.applyWrites#${write.action}Result`
  if (write.action === 'delete') return { $type }
  const { collection, rkey, cid, validationStatus } = write.record
  return { $type, uri: uriOf(did, collection, rkey), cid: formatCid(cid), validationStatus }
}
