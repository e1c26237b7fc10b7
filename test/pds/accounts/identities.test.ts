/**
 * Identities: operations in the directory that accounts ask for, and resolving those of anybody.
 */
import type { AtpAgent } from '@atproto/api'
import { DidResolver } from '@atproto/identity'
import { tombstoneOp } from '@did-plc/lib'
import { CID } from 'multiformats/cid'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { generateKey, importKey } from '#protocol/keys.ts'
import { readConfig } from '../../../pds/config.ts'
import { startDirectory } from '../../support/directory.ts'
import {
  createUser,
  type InProcessPds,
  PASSWORD,
  pdsEnv,
  rejection,
  secrets,
  startPds,
  type TestUser,
} from '../../support/pds.ts'
import { type PlcDirectory, startPlc } from '../../support/plc.ts'
import { type MailServer, startMailServer } from '../../support/smtp.ts'
import { bearerOf, eventsOf, kindsOf, operatorOf, strangerTo } from './support.ts'

const recovery = generateKey('ES256K').did

let plc: PlcDirectory
let mails: MailServer
let pds: InProcessPds
let identities: DidResolver

beforeAll(async () => {
  plc = await startPlc()
  mails = await startMailServer()
  const env = {
    PDS_EMAIL_SMTP_URL: mails.url,
    PDS_EMAIL_FROM_ADDRESS: 'pds@mail.example',
    PDS_RECOVERY_DID_KEY: recovery,
  }
  pds = await startPds({ plcUrl: plc.url, env })
  identities = new DidResolver({ plcUrl: plc.url, fetch: globalThis.fetch })
})
afterAll(async () => {
  await pds?.[Symbol.asyncDispose]()
  await mails?.[Symbol.asyncDispose]()
  await plc?.[Symbol.asyncDispose]()
})
afterEach(() => {
  vi.useRealTimers()
})

let count = 0
const newUser = (): Promise<TestUser> => createUser(pds, `owner${++count}`)
const stranger = () => strangerTo(pds)
const directory = async (did: string, path = 'data') =>
  (await (await fetch(`${plc.url}/${did}/${path}`)).json()) as Record<string, never>

/** The code for one operation. */
async function codeOf({ agent }: TestUser): Promise<string> {
  await agent.com.atproto.identity.requestPlcOperationSignature()
  return mails.code(agent.session!.email!)
}

async function appOf({ agent, handle }: TestUser): Promise<AtpAgent> {
  const { data } = await agent.com.atproto.server.createAppPassword({ name: 'app', privileged: true })
  const app = stranger()
  await app.login({ identifier: handle, password: data.password })
  return app
}

test.each([
  [429, 429, 'RateLimitExceeded'],
  [400, 400, 'InvalidRequest'],
  [503, 502, 'UpstreamFailure'],
])('a directory that answers %i makes it %i', async (failing, status, error) => {
  await using directory = await startDirectory()
  directory.failing = failing
  await using pds = await startPds({ plcUrl: directory.url })
  expect(await rejection(createUser(pds, 'hopeful'))).toMatchObject({ status, error })
})

describe('an operation in the directory', () => {
  test('is signed for who reads the mail, once for each code, and nothing is sent', async () => {
    const user = await newUser()
    const { agent, did } = user
    const { identity } = agent.com.atproto
    const mine = generateKey('ES256K').did
    const before = await directory(did)
    const { data: recommended } = await identity.getRecommendedDidCredentials()
    expect(recommended.rotationKeys).toEqual(before.rotationKeys)
    expect(recommended.rotationKeys).toEqual([recovery, expect.stringMatching(/^did:key:/)])

    const code = await codeOf(user)
    const rotationKeys = [mine, ...recommended.rotationKeys!]
    const sign = (token?: string, changes: object = { rotationKeys }) =>
      identity.signPlcOperation({ token, ...changes })
    expect(await rejection(sign())).toMatchObject({ status: 400, error: 'InvalidRequest' })
    expect(await rejection(sign('AAAAA-AAAAA'))).toMatchObject({ status: 400, error: 'InvalidToken' })
    const operation = (await sign(code)).data.operation as Record<string, unknown>
    expect(operation).toMatchObject({ type: 'plc_operation', rotationKeys, services: before.services })
    expect(await directory(did)).toEqual(before)
    expect(await rejection(sign(code))).toMatchObject({ error: 'InvalidToken' })

    await identity.submitPlcOperation({ operation })
    expect(await directory(did)).toMatchObject({ ...before, rotationKeys })
    expect((await eventsOf(pds, did)).at(-1)).toEqual({
      kind: 'identity',
      did,
      seq: expect.any(Number),
      time: expect.any(String),
    })
    const late = await codeOf(user)
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 16 * 60_000 })
    expect(await rejection(sign(late))).toMatchObject({ status: 400, error: 'ExpiredToken' })
    vi.useRealTimers()
    expect(
      await rejection(sign(await codeOf(user), { services: { atproto_pds: 'nonsense' } })),
    ).toMatchObject({
      status: 400,
      message: 'Invalid operation',
    })
  })

  test('is submitted when it leaves the account here', async () => {
    const user = await newUser()
    const { agent, did, handle } = user
    const { identity } = agent.com.atproto
    const { data: recommended } = await identity.getRecommendedDidCredentials()
    const other = generateKey('ES256K').did
    const elsewhere = { type: 'AtprotoPersonalDataServer', endpoint: 'https://elsewhere.example' }
    const before = await directory(did, 'log')
    for (const [changes, message] of [
      [
        { services: { atproto_pds: { ...elsewhere, type: 'Other' } } },
        'Incorrect type on atproto_pds service',
      ],
      [{ services: { atproto_pds: elsewhere } }, 'Incorrect endpoint on atproto_pds service'],
      [{ verificationMethods: { atproto: other } }, 'Incorrect signing key'],
      [{ alsoKnownAs: ['at://other.test'] }, 'Incorrect handle in alsoKnownAs'],
    ] as const) {
      const token = await codeOf(user)
      const { data } = await identity.signPlcOperation({ ...recommended, ...changes, token } as never)
      expect(await rejection(identity.submitPlcOperation(data))).toMatchObject({ status: 400, message })
    }
    for (const operation of [{}, { type: 'plc_tombstone', prev: 'x', sig: 'y' }]) {
      expect(await rejection(identity.submitPlcOperation({ operation }))).toMatchObject({
        status: 400,
        message: 'Invalid operation',
      })
    }
    const { data } = await identity.signPlcOperation({ token: await codeOf(user) })
    const forged = { ...(data.operation as object), sig: 'A'.repeat(86) }
    expect(await rejection(identity.submitPlcOperation({ operation: forged }))).toMatchObject({ status: 400 })
    expect(await directory(did, 'log')).toEqual(before)
    expect(kindsOf(await eventsOf(pds, did))).toEqual(['identity', 'account', 'commit', 'sync'])
    expect(await identities.resolveAtprotoData(did, true)).toMatchObject({ handle, pds: pds.url })
  })

  test('is submitted for an identity whose keys are its owner’s alone, and then signed by them', async () => {
    const user = await newUser()
    const { agent, did } = user
    const { identity, server } = agent.com.atproto
    const rotationKeys = [generateKey('ES256K').did]
    const { data } = await identity.signPlcOperation({ token: await codeOf(user), rotationKeys })
    await identity.submitPlcOperation(data)
    expect(await directory(did)).toMatchObject({ rotationKeys })
    expect((await server.checkAccountStatus()).data.validDid).toBe(true)
    await server.deactivateAccount({})
    await server.activateAccount()
    const { rotationKeys: offered } = (await identity.getRecommendedDidCredentials()).data
    expect(offered).toEqual([recovery, expect.stringMatching(/^did:key:/)])
    const message = 'This server has no rotation key of the identity: sign the operation with your own'
    expect(await rejection(identity.signPlcOperation({ token: await codeOf(user) }))).toMatchObject({
      status: 400,
      message,
    })
    expect(await rejection(agent.updateHandle({ handle: 'renamed-by-us.test' }))).toMatchObject({
      status: 400,
      message,
    })
  })

  test('is for the account’s own password, and also for who was taken down', async () => {
    const user = await newUser()
    const app = await appOf(user)
    const { identity } = app.com.atproto
    for (const refused of [
      () => identity.requestPlcOperationSignature(),
      () => identity.signPlcOperation({ token: 'AAAAA-AAAAA' }),
    ]) {
      expect(await rejection(refused())).toMatchObject({
        status: 400,
        error: 'InvalidToken',
        message: 'Bad token scope',
      })
    }
    const subject = { $type: 'com.atproto.admin.defs#repoRef' as const, did: user.did }
    await operatorOf(pds).admin.updateSubjectStatus({ subject, takedown: { applied: true } })
    const { data } = await stranger().com.atproto.server.createSession({
      identifier: user.handle,
      password: PASSWORD,
      allowTakendown: true,
    })
    const own = bearerOf(pds, data.accessJwt).identity
    await own.requestPlcOperationSignature()
    const token = mails.code(user.agent.session!.email!)
    expect((await own.signPlcOperation({ token })).data.operation).toMatchObject({ type: 'plc_operation' })
    expect(await rejection(own.getRecommendedDidCredentials())).toMatchObject({ error: 'InvalidToken' })
  })

  test('is not made for an identity that is over', async () => {
    const user = await newUser()
    const { agent, did } = user
    await bury(did)
    const sign = agent.com.atproto.identity.signPlcOperation({ token: await codeOf(user) })
    expect(await rejection(sign)).toMatchObject({ status: 400, message: 'Did is tombstoned' })
    expect(await rejection(agent.com.atproto.identity.refreshIdentity({ identifier: did }))).toMatchObject({
      status: 400,
      error: 'DidDeactivated',
    })
    expect(await rejection(agent.com.atproto.server.activateAccount())).toMatchObject({ status: 400 })
    expect((await agent.com.atproto.server.checkAccountStatus()).data.validDid).toBe(false)
  })
})

test('a name elsewhere that does not resolve is not found', async () => {
  for (const handle of ['nobody.invalid', 'nobody-here.test']) {
    expect(await rejection(stranger().resolveHandle({ handle }))).toMatchObject({
      status: 400,
      error: 'HandleNotFound',
      message: 'Unable to resolve handle',
    })
  }
})

describe('an identity', () => {
  test('is resolved by DID and by handle', async () => {
    const { did, handle } = await newUser()
    const { identity } = stranger().com.atproto
    const didDoc = await identities.resolve(did, true)
    expect((await identity.resolveDid({ did })).data).toEqual({ didDoc })
    for (const identifier of [did, handle, handle.toUpperCase()]) {
      expect((await identity.resolveIdentity({ identifier })).data).toEqual({ did, handle, didDoc })
    }
    const unknown = 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa'
    const notFound = { status: 400, error: 'DidNotFound' }
    expect(await rejection(identity.resolveDid({ did: unknown }))).toMatchObject(notFound)
    expect(await rejection(identity.resolveDid({ did: 'did:example:x' }))).toMatchObject(notFound)
    expect(await rejection(identity.resolveIdentity({ identifier: unknown }))).toMatchObject(notFound)
    expect(await rejection(identity.resolveIdentity({ identifier: 'nobody.test' }))).toMatchObject({
      status: 400,
      error: 'HandleNotFound',
    })
  })

  test('shows only a handle that points back, and is looked up again at sign-in', async () => {
    const user = await newUser()
    const { agent, did, handle } = user
    const { identity } = stranger().com.atproto
    await identity.resolveDid({ did })
    const token = await codeOf(user)
    const { data } = await agent.com.atproto.identity.signPlcOperation({
      token,
      alsoKnownAs: ['at://elsewhere.test'],
    })
    await fetch(`${plc.url}/${did}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(data.operation),
    })
    expect((await identity.resolveIdentity({ identifier: did })).data.handle).toBe(handle)
    expect(await rejection(identity.refreshIdentity({ identifier: did }))).toMatchObject({ status: 401 })
    const { data: fresh } = await agent.com.atproto.identity.refreshIdentity({ identifier: did })
    expect(fresh).toMatchObject({ did, handle: 'handle.invalid' })
    expect((fresh.didDoc as { alsoKnownAs: string[] }).alsoKnownAs).toEqual(['at://elsewhere.test'])
    expect((await identity.resolveIdentity({ identifier: did })).data).toEqual(fresh)
  })

  test('has a recovery key that is one', () => {
    const env = { ...pdsEnv(plc.url, '/nowhere', 0), PDS_RECOVERY_DID_KEY: 'did:web:x.example' }
    expect(() => readConfig(env)).toThrow('PDS_RECOVERY_DID_KEY: must be a did:key')
  })
})

describe('a token for another service', () => {
  test('opens what the session opens', async () => {
    const user = await newUser()
    const { data } = await user.agent.com.atproto.server.createAppPassword({ name: 'plain' })
    const plain = stranger()
    await plain.login({ identifier: user.handle, password: data.password })
    const ask = (agent: AtpAgent, lxm?: string) =>
      agent.com.atproto.server.getServiceAuth({ aud: 'did:web:x.example', lxm })
    for (const lxm of [
      'chat.bsky.convo.getLog',
      'com.atproto.server.createAccount',
      'chat.bsky.convo.getlog',
    ]) {
      expect(await rejection(ask(plain, lxm))).toMatchObject({
        status: 400,
        message: `insufficient access to request a service auth token for the following method: ${lxm}`,
      })
      for (const agent of [user.agent, await appOf(await newUser())]) await ask(agent, lxm)
    }
    const more = (await user.agent.com.atproto.server.createAppPassword({ name: 'more', privileged: true }))
      .data
    const privileged = stranger()
    await privileged.login({ identifier: user.handle, password: more.password })
    for (const lxm of ['com.atproto.admin.updateSubjectStatus', 'com.atproto.ADMIN.getInviteCodes']) {
      for (const agent of [plain, privileged]) {
        expect(await rejection(ask(agent, lxm))).toMatchObject({ status: 400 })
      }
      await ask(user.agent, lxm)
    }
    for (const lxm of [undefined, 'app.bsky.feed.getTimeline']) await ask(plain, lxm)
    expect(await rejection(ask(user.agent, 'com.atproto.identity.signPlcOperation'))).toMatchObject({
      status: 400,
    })
  })
})

/** Ends an identity in the directory, with the server's own key. */
async function bury(did: string): Promise<void> {
  const key = importKey(Buffer.from(secrets.PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX, 'hex'), 'ES256K')
  const signer = { jwtAlg: 'ES256K', did: () => key.did, sign: async (m: Uint8Array) => key.sign(m) }
  const log = (await (await fetch(`${plc.url}/${did}/log/audit`)).json()) as { cid: string }[]
  const operation = await tombstoneOp(CID.parse(log.at(-1)!.cid), signer)
  const response = await fetch(`${plc.url}/${did}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(operation),
  })
  expect(response.status).toBe(200)
}
