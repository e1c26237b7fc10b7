/** Accounts that bring an identity of their own: from another host, and from a web site. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { AtpAgent } from '@atproto/api'
import { DidResolver } from '@atproto/identity'
import { createServiceJwt } from '@atproto/xrpc-server'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { formatMultikey, generateKey, parseDidKey, type SigningKey } from '#protocol/keys.ts'
import { createUser, type InProcessPds, post, rejection, startPds, type TestUser } from '../../support/pds.ts'
import { type PlcDirectory, startPlc } from '../../support/plc.ts'
import { type MailServer, startMailServer } from '../../support/smtp.ts'
import { createWithDid, eventsOf, kindsOf, movingToken, operatorOf, strangerTo } from './support.ts'

const CREATE = 'com.atproto.server.createAccount'
const TO = 'did:web:to.example'

let plc: PlcDirectory
let mails: MailServer
let from: InProcessPds
let to: InProcessPds
let identities: DidResolver

beforeAll(async () => {
  plc = await startPlc()
  mails = await startMailServer()
  const env = { PDS_EMAIL_SMTP_URL: mails.url, PDS_EMAIL_FROM_ADDRESS: 'pds@mail.example' }
  from = await startPds({ plcUrl: plc.url, env })
  to = await startPds({ plcUrl: plc.url, env: { PDS_SERVICE_DID: TO } })
  identities = new DidResolver({ plcUrl: plc.url, fetch: globalThis.fetch })
})
afterAll(async () => {
  await from?.[Symbol.asyncDispose]()
  await to?.[Symbol.asyncDispose]()
  await mails?.[Symbol.asyncDispose]()
  await plc?.[Symbol.asyncDispose]()
})
afterEach(() => {
  vi.useRealTimers()
})

let count = 0
const mover = (): Promise<TestUser> => createUser(from, `mover${++count}`)

/** The identity's new home in the directory, signed by the old one. */
async function moveIdentity({ agent, did }: TestUser, moved: AtpAgent): Promise<void> {
  const { data: wanted } = await moved.com.atproto.identity.getRecommendedDidCredentials()
  await agent.com.atproto.identity.requestPlcOperationSignature()
  const token = mails.code(agent.session!.email!)
  const { data } = await agent.com.atproto.identity.signPlcOperation({ ...wanted, token })
  await moved.com.atproto.identity.submitPlcOperation(data)
  expect((await identities.resolveAtprotoData(did, true)).pds).toBe(to.url)
}

describe('an account with an identity of its own', () => {
  test('is created inactive and without an event, then activated once its identity names this host', async () => {
    const user = await mover()
    const { agent, did, handle } = user
    const reserved = await strangerTo(to).com.atproto.server.reserveSigningKey({ did })
    expect(await strangerTo(to).com.atproto.server.reserveSigningKey({ did })).toMatchObject({
      data: reserved.data,
    })
    const moved = await createWithDid(to, user, await movingToken(agent, TO))

    expect(await eventsOf(to, did)).toEqual([])
    const status = (await moved.com.atproto.server.checkAccountStatus()).data
    expect(status).toMatchObject({
      activated: false,
      validDid: false,
      repoBlocks: 2,
      indexedRecords: 0,
      privateStateValues: 0,
      expectedBlobs: 0,
      importedBlobs: 0,
    })
    expect((await moved.com.atproto.server.getSession()).data).toMatchObject({
      did,
      active: false,
      status: 'deactivated',
    })
    expect(await rejection(moved.app.bsky.feed.post.create({ repo: did }, post('early')))).toMatchObject({
      status: 401,
      error: 'AccountDeactivated',
    })
    expect(await rejection(strangerTo(to).com.atproto.sync.getRepo({ did }))).toMatchObject({
      status: 400,
      error: 'RepoDeactivated',
    })
    expect((await moved.com.atproto.sync.getRepo({ did })).data.length).toBeGreaterThan(100)
    expect(await rejection(moved.com.atproto.server.activateAccount())).toMatchObject({
      status: 400,
      error: 'InvalidRequest',
    })

    const { data: wanted } = await moved.com.atproto.identity.getRecommendedDidCredentials()
    expect(wanted).toMatchObject({
      alsoKnownAs: [`at://${handle}`],
      verificationMethods: { atproto: reserved.data.signingKey },
      rotationKeys: [expect.stringMatching(/^did:key:z/)],
      services: { atproto_pds: { type: 'AtprotoPersonalDataServer', endpoint: to.url } },
    })
    await moveIdentity(user, moved)
    expect((await moved.com.atproto.server.checkAccountStatus()).data).toMatchObject({ validDid: true })
    await moved.com.atproto.server.activateAccount()
    await agent.com.atproto.server.deactivateAccount({})

    const { uri } = await moved.post({ text: 'here' })
    expect(uri).toContain(did)
    expect(await identities.resolveAtprotoData(did, true)).toMatchObject({ did, handle, pds: to.url })
    expect((await strangerTo(to).resolveHandle({ handle })).data.did).toBe(did)
    const events = await eventsOf(to, did)
    expect(kindsOf(events)).toEqual(['identity', 'account', 'identity', 'sync', 'commit'])
    expect(events[1]).toMatchObject({ active: true })
    expect(events[2]).toMatchObject({ handle })
    expect(events[3]).toMatchObject({ rev: status.repoRev })
    expect((await eventsOf(from, did)).at(-1)).toMatchObject({
      kind: 'account',
      active: false,
      status: 'deactivated',
    })
  })

  test("needs a proof that the identity is the caller's", async () => {
    const [user, other] = [await mover(), await mover()]
    const create = (token: string | undefined) => rejection(createWithDid(to, user, token))
    const message = `Missing auth to create account with did: ${user.did}`
    expect(await create(undefined)).toMatchObject({ status: 401, error: 'AuthenticationRequired', message })
    expect(await create(await movingToken(other.agent, TO))).toMatchObject({ status: 401, message })
    expect(await create(await movingToken(user.agent, 'did:web:elsewhere.example'))).toMatchObject({
      status: 401,
      error: 'BadJwtAudience',
    })
    const { data } = await user.agent.com.atproto.server.getServiceAuth({
      aud: TO,
      lxm: 'com.atproto.repo.createRecord',
    })
    expect(await create(data.token)).toMatchObject({ status: 401, error: 'BadJwtLexiconMethod' })
    expect(await create(user.agent.session!.accessJwt)).toMatchObject({ status: 401, error: 'BadJwtType' })
    expect(await create('a.b.c')).toMatchObject({ status: 401, error: 'BadJwt' })
    const token = await movingToken(user.agent, TO)
    expect(await create(`${token.slice(0, -4)}AAAA`)).toMatchObject({ status: 401, error: 'BadJwtSignature' })
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 61_000 })
    expect(await create(token)).toMatchObject({ status: 401, error: 'JwtExpired' })
    vi.useRealTimers()
    await createWithDid(to, user, token)
  })

  test('is made once, asked for at once too', async () => {
    const user = await mover()
    const token = await movingToken(user.agent, TO)
    const made = await Promise.allSettled(
      [1, 2, 3].map((n) =>
        createWithDid(to, user, token, {
          email: `same${n}@moved.example`,
          handle: `same${n}-${user.handle}`,
        }),
      ),
    )
    expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    const again = createWithDid(to, user, token, { email: 'x@moved.example', handle: 'xxx.test' })
    expect(await rejection(again)).toMatchObject({ status: 400, error: 'AlreadyExists' })
  })

  test('is said to be here before its handle, address and invite code are said to be taken', async () => {
    const user = await mover()
    const moved = await createWithDid(to, user, await movingToken(user.agent, TO))
    const again = async (more: object = {}) =>
      rejection(createWithDid(to, user, await movingToken(user.agent, TO), more))
    for (const more of [{}, { handle: 'admin.test' }, { inviteCode: 'used-up' }, { email: 'nonsense' }]) {
      expect(await again(more)).toMatchObject({ status: 400, error: 'AlreadyExists' })
    }
    // Only who proved that the identity is theirs hears of it.
    expect(await rejection(createWithDid(to, user, undefined))).toMatchObject({
      message: `Handle already taken: ${user.handle}`,
    })
    expect((await moved.com.atproto.server.getSession()).data.did).toBe(user.did)
  })

  test('has as many blobs as its records refer to', async () => {
    const user = await mover()
    const moved = await createWithDid(to, user, await movingToken(user.agent, TO))
    const bytes = ['one', 'two', 'three'].map((text) => Buffer.from(text))
    const refs = await Promise.all(
      bytes.map(async (bytes) => (await user.agent.uploadBlob(bytes, { encoding: 'text/plain' })).data.blob),
    )
    for (const rkey of ['a', 'b']) {
      await user.agent.com.atproto.repo.createRecord({
        repo: user.did,
        collection: 'com.example.thing',
        rkey,
        record: { files: refs.slice(0, 2) },
      })
    }
    const { data: archive } = await user.agent.com.atproto.sync.getRepo({ did: user.did })
    await moved.com.atproto.repo.importRepo(archive, { encoding: 'application/vnd.ipld.car' })
    const counts = async () => {
      const { expectedBlobs, importedBlobs } = (await moved.com.atproto.server.checkAccountStatus()).data
      return [expectedBlobs, importedBlobs]
    }
    expect(await counts()).toEqual([2, 0])
    await moved.uploadBlob(bytes[0]!, { encoding: 'text/plain' })
    expect(await counts()).toEqual([2, 1])
    await moved.uploadBlob(bytes[1]!, { encoding: 'text/plain' })
    await moved.uploadBlob(bytes[2]!, { encoding: 'text/plain' })
    expect(await counts()).toEqual([2, 2])
  })

  test('may not carry a PLC operation, and no other kind of authorization', async () => {
    const user = await mover()
    expect(await rejection(createWithDid(to, user, undefined, { plcOp: {} }))).toMatchObject({
      status: 400,
      message: 'Unsupported input: "plcOp"',
    })
    const input = { handle: 'basic.test', email: 'basic@mail.example', password: 'password' }
    expect(await rejection(operatorOf(to).server.createAccount(input))).toMatchObject({
      status: 401,
      error: 'AuthenticationRequired',
      message: 'Invalid authorization header',
    })
  })
})

describe('an identity on a web site', () => {
  test('moves in, is activated by what its site says, and follows its handle', async () => {
    await using site = await startSite()
    const { did } = site
    let key: SigningKey = generateKey('ES256')
    site.publish({ handle: 'web.test', key: key.did, pds: 'https://old.example' })
    const token = () =>
      createServiceJwt({
        iss: did,
        aud: TO,
        lxm: CREATE,
        keypair: { jwtAlg: key.algorithm, did: () => key.did, sign: async (message) => key.sign(message) },
      })
    const moved = await createWithDid(to, { did, handle: 'web.test' }, await token())
    const { data } = await moved.com.atproto.identity.getRecommendedDidCredentials()
    const { atproto } = data.verificationMethods as { atproto: string }
    expect(await rejection(moved.com.atproto.server.activateAccount())).toMatchObject({ status: 400 })
    site.publish({ handle: 'web.test', key: atproto, pds: to.url })
    await moved.com.atproto.server.activateAccount()
    await moved.post({ text: 'from the web' })
    expect(kindsOf(await eventsOf(to, did))).toEqual(['account', 'identity', 'sync', 'commit'])

    expect(await rejection(moved.updateHandle({ handle: 'web-two.test' }))).toMatchObject({
      status: 400,
      message: 'DID is not properly configured for handle',
    })
    site.publish({ handle: 'web-two.test', key: atproto, pds: to.url })
    await moved.updateHandle({ handle: 'web-two.test' })
    expect((await moved.com.atproto.server.getSession()).data.handle).toBe('web-two.test')

    // The key that the site names is looked up anew when a token does not fit the one that is
    // known.
    key = generateKey('ES256K')
    site.publish({ handle: 'web-two.test', key: key.did, pds: to.url })
    const again = createWithDid(to, { did, handle: 'web-3.test' }, await token())
    expect(await rejection(again)).toMatchObject({ error: 'AlreadyExists' })
  })

  test('that says nothing proves nothing', async () => {
    await using site = await startSite()
    const key = generateKey('ES256')
    const keypair = { jwtAlg: 'ES256', did: () => key.did, sign: async (m: Uint8Array) => key.sign(m) }
    const create = async (iss: string, aud = TO) =>
      rejection(
        createWithDid(
          to,
          { did: iss, handle: 'nobody.test' },
          await createServiceJwt({ iss, aud, lxm: CREATE, keypair }),
        ),
      )
    expect(await create(site.did)).toMatchObject({ status: 401, message: 'could not resolve iss did' })
    site.publish({ handle: 'nobody.test', pds: to.url })
    expect(await create(site.did)).toMatchObject({ status: 401, message: 'missing or bad key in did doc' })
    site.publish({ handle: 'nobody.test', key: key.did, pds: to.url })
    expect(await create(site.did, 'did:web:x.example')).toMatchObject({ error: 'BadJwtAudience' })
  })
})

/** A web site that publishes one identity. */
async function startSite() {
  let document: object | undefined
  const server = createServer((request, response) => {
    const found = request.url === '/.well-known/did.json' ? document : undefined
    response.writeHead(found ? 200 : 404, { 'content-type': 'application/json' })
    response.end(JSON.stringify(found ?? {}))
  })
  await once(server.listen(0, 'localhost'), 'listening')
  const did = `did:web:localhost%3A${(server.address() as AddressInfo).port}`
  return {
    did,
    publish({ handle, key, pds }: { handle: string; key?: string; pds: string }) {
      document = {
        '@context': ['https://www.w3.org/ns/did/v1'],
        id: did,
        alsoKnownAs: [`at://${handle}`],
        verificationMethod: key && [
          {
            id: `${did}#atproto`,
            type: 'Multikey',
            controller: did,
            publicKeyMultibase: formatMultikey(parseDidKey(key)),
          },
        ],
        service: [{ id: '#atproto_pds', type: 'AtprotoPersonalDataServer', serviceEndpoint: pds }],
      }
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
