/**
 * Records of accounts that are not active: one answer wherever they are asked for, and their owners
 * read them.
 */
import type { AtpAgent } from '@atproto/api'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createUser, type InProcessPds, rejection, startPds, type TestUser } from '../../support/pds.ts'
import { type PlcDirectory, startPlc } from '../../support/plc.ts'
import { operatorOf, strangerTo } from '../accounts/support.ts'

let plc: PlcDirectory
let pds: InProcessPds
let other: TestUser
beforeAll(async () => {
  plc = await startPlc()
  pds = await startPds({ plcUrl: plc.url })
  other = await createUser(pds, 'other-reader')
})
afterAll(async () => {
  await pds?.[Symbol.asyncDispose]()
  await plc?.[Symbol.asyncDispose]()
})

const collection = 'com.example.thing'

/** An account with one record. */
async function writer(name: string): Promise<TestUser> {
  const user = await createUser(pds, name)
  const record = { name }
  await user.agent.com.atproto.repo.createRecord({ repo: user.did, collection, rkey: 'a', record })
  return user
}

/** Every way to read of a repository. */
const reads = ({ repo, sync }: AtpAgent['com']['atproto'], { did, handle }: TestUser) => [
  () => repo.getRecord({ repo: did, collection, rkey: 'a' }),
  () => repo.getRecord({ repo: handle, collection, rkey: 'a' }),
  () => repo.listRecords({ repo: did, collection }),
  () => repo.describeRepo({ repo: handle }),
  () => sync.getRecord({ did, collection, rkey: 'a' }),
  () => sync.getRepo({ did }),
  () => sync.getLatestCommit({ did }),
  () => sync.listBlobs({ did }),
]

test('of a deactivated account', async () => {
  const user = await writer('sleeper')
  for (const read of reads(strangerTo(pds).com.atproto, user)) await read()
  await user.agent.com.atproto.server.deactivateAccount({})
  for (const viewer of [strangerTo(pds), other.agent]) {
    for (const read of reads(viewer.com.atproto, user)) {
      expect(await rejection(read())).toMatchObject({ status: 400, error: 'RepoDeactivated' })
    }
  }
  for (const viewer of [user.agent.com.atproto, operatorOf(pds)]) {
    for (const read of reads(viewer, user)) expect(await read()).toMatchObject({ success: true })
  }
  const path = `com.atproto.repo.listRecords?repo=${user.did}&collection=${collection}`
  const headers = { authorization: `Bearer ${user.agent.session!.accessJwt}` }
  const response = await fetch(`${pds.url}/xrpc/${path}`, { headers })
  expect(response.headers.get('cache-control')).toBe('private')
})

test('of an account that was taken down', async () => {
  const user = await writer('fallen')
  const subject = { $type: 'com.atproto.admin.defs#repoRef' as const, did: user.did }
  await operatorOf(pds).admin.updateSubjectStatus({ subject, takedown: { applied: true } })
  for (const read of reads(strangerTo(pds).com.atproto, user)) {
    expect(await rejection(read())).toMatchObject({ status: 400, error: 'RepoTakendown' })
  }
})

test('records of an unknown account', async () => {
  const { repo } = strangerTo(pds).com.atproto
  const nobody = 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa'
  expect(await rejection(repo.getRecord({ repo: nobody, collection, rkey: 'a' }))).toMatchObject({
    message: 'Could not locate record',
  })
  expect(await rejection(repo.listRecords({ repo: nobody, collection }))).toMatchObject({
    message: `Could not find repo: ${nobody}`,
  })
})
