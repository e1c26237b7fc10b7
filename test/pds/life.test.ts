/** A whole life on the PDS, lived with the official client. */
import { AtpAgent, BlobRef, type ComAtprotoRepoApplyWrites } from '@atproto/api'
import { DidResolver } from '@atproto/identity'
import { type RecordClaim, readCar, verifyDiffCar, verifyProofs, verifyRecords, verifyRepoCar } from '@atproto/repo'
import { verifyJwt } from '@atproto/xrpc-server'
import { decodeJwt } from 'jose'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { createUser, type InProcessPds, PASSWORD, post, rejection, startPds, type TestUser } from '../support/pds.ts'
import { type PlcDirectory, startPlc } from '../support/plc.ts'

let plc: PlcDirectory
let pds: InProcessPds
let identities: DidResolver

beforeAll(async () => {
  plc = await startPlc()
  pds = await startPds({ plcUrl: plc.url })
  identities = new DidResolver({ plcUrl: plc.url, fetch: globalThis.fetch })
})
afterAll(async () => {
  await pds?.[Symbol.asyncDispose]()
  await plc?.[Symbol.asyncDispose]()
})

let count = 0
/** A new account with a name of its own. */
const newUser = (): Promise<TestUser> => createUser(pds, `user${++count}`)
const keyOf = (did: string) => identities.resolveAtprotoKey(did, true)
const subjectOf = ({ uri, cid }: { uri: string; cid: string }) => ({ subject: { uri, cid }, createdAt: new Date().toISOString() })

/** The records of a collection, all of its pages. */
async function recordsOf({ agent, did }: TestUser, collection: string) {
  const { data } = await agent.com.atproto.repo.listRecords({ repo: did, collection, limit: 100 })
  return data.records
}

describe('an account', () => {
  test('is made with an identity that names this server', async () => {
    const { agent, did, handle } = await newUser()
    expect(did).toMatch(/^did:plc:[a-z2-7]{24}$/)
    expect(agent.session).toMatchObject({ did, handle, active: true, emailConfirmed: false })
    const data = await identities.resolveAtprotoData(did)
    expect(data).toMatchObject({ did, handle, pds: pds.url })
    const resolved = await agent.resolveHandle({ handle: handle.toUpperCase() })
    expect(resolved.data).toEqual({ did })
    const described = await agent.com.atproto.repo.describeRepo({ repo: handle })
    expect(described.data).toMatchObject({ did, handle, handleIsCorrect: true, collections: [] })
    const wellKnown = await fetch(`${pds.url}/.well-known/atproto-did`, { headers: { 'x-forwarded-host': handle } })
    expect(await wellKnown.text()).toBe(did)
  })

  test('is told apart from others by handle and address, and by who asks first', async () => {
    const { agent } = new AtpAgentPair(pds.url)
    await newUser()
    const input = { email: 'other@mail.example', password: PASSWORD }
    const taken = await rejection(agent.createAccount({ ...input, handle: `USER${count}.test` }))
    expect(taken).toMatchObject({ status: 400, error: 'HandleNotAvailable' })
    const address = await rejection(
      agent.createAccount({ ...input, handle: 'fresh.test', email: `User${count}@mail.example` }),
    )
    expect(address).toMatchObject({ status: 400, message: `Email already taken: user${count}@mail.example` })
    const both = await Promise.allSettled(
      [1, 2].map((n) =>
        new AtpAgent({ service: pds.url }).createAccount({ ...input, email: `race${n}@mail.example`, handle: 'race.test' }),
      ),
    )
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  })

  test('changes its handle, here and in its identity', async () => {
    const { agent, did, handle } = await newUser()
    await agent.updateHandle({ handle: `new-${handle}` })
    expect(await identities.resolveAtprotoData(did, true)).toMatchObject({ did, handle: `new-${handle}`, pds: pds.url })
    expect((await agent.resolveHandle({ handle: `new-${handle}` })).data.did).toBe(did)
    expect(await rejection(agent.resolveHandle({ handle }))).toMatchObject({ status: 400, error: 'HandleNotFound' })
    const described = await agent.com.atproto.repo.describeRepo({ repo: did })
    expect(described.data).toMatchObject({ handle: `new-${handle}`, handleIsCorrect: true })
    const other = await newUser()
    expect(await rejection(other.agent.updateHandle({ handle: `new-${handle}` }))).toMatchObject({ status: 400 })
  })
})

class AtpAgentPair {
  readonly agent: AtpAgent
  constructor(service: string) {
    this.agent = new AtpAgent({ service })
  }
}
