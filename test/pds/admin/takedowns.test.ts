/** What the operator and the moderation service take down, everywhere it could be seen. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { BlobRef } from '@atproto/api'
import { createServiceJwt } from '@atproto/xrpc-server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { formatMultikey, generateKey, parseDidKey } from '#protocol/keys.ts'
import {
  createUser,
  type InProcessPds,
  PASSWORD,
  post,
  rejection,
  startPds,
  type TestUser,
} from '../../support/pds.ts'
import { type PlcDirectory, startPlc } from '../../support/plc.ts'
import { bearerOf, eventsOf, operatorOf, strangerTo } from '../accounts/support.ts'

const POSTS = 'app.bsky.feed.post'
const UPDATE = 'com.atproto.admin.updateSubjectStatus'
const NOBODY = 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa'

let plc: PlcDirectory
let pds: InProcessPds
let moderation: Awaited<ReturnType<typeof startModeration>>

beforeAll(async () => {
  plc = await startPlc()
  moderation = await startModeration()
  const env = { PDS_MOD_SERVICE_URL: 'https://mod.example', PDS_MOD_SERVICE_DID: moderation.did }
  pds = await startPds({ plcUrl: plc.url, env })
})
afterAll(async () => {
  await pds?.[Symbol.asyncDispose]()
  await moderation?.[Symbol.asyncDispose]()
  await plc?.[Symbol.asyncDispose]()
})

let count = 0
const newUser = (): Promise<TestUser> => createUser(pds, `judged${++count}`)
const accountOf = ({ did }: { did: string }) => ({ $type: 'com.atproto.admin.defs#repoRef' as const, did })
const update = (input: object) => operatorOf(pds).admin.updateSubjectStatus(input as never)
const status = async (params: object) => (await operatorOf(pds).admin.getSubjectStatus(params)).data
const stranger = () => strangerTo(pds)
const takenDown = { takedown: { applied: true } }
const lifted = { takedown: { applied: false } }

describe('an account that is taken down', () => {
  test('is seen by nobody but its owner, at once, and comes back whole', async () => {
    const user = await newUser()
    const { agent, did, handle } = user
    const { accessJwt, refreshJwt } = agent.session!
    const { uri } = await agent.post({ text: 'one' })
    const rkey = uri.split('/').at(-1)!
    const { com } = stranger()
    const { cid } = (await com.atproto.sync.getLatestCommit({ did })).data
    const reads = [
      () => com.atproto.sync.getRepo({ did }),
      () => com.atproto.sync.getCheckout({ did }),
      () => com.atproto.sync.getHead({ did }),
      () => com.atproto.sync.getLatestCommit({ did }),
      () => com.atproto.sync.getRecord({ did, collection: POSTS, rkey }),
      () => com.atproto.sync.getBlocks({ did, cids: [cid] }),
      () => com.atproto.sync.listBlobs({ did }),
      () => com.atproto.repo.describeRepo({ repo: did }),
      () => com.atproto.repo.getRecord({ repo: did, collection: POSTS, rkey }),
      () => com.atproto.repo.listRecords({ repo: did, collection: POSTS }),
      () => com.atproto.identity.resolveHandle({ handle }),
    ]
    for (const read of reads) await read()
    expect(await status({ did })).toEqual({
      subject: accountOf(user),
      takedown: { applied: false },
      deactivated: { applied: false },
    })

    const takedown = { applied: true, ref: 'report 7' }
    const { data } = await update({ subject: accountOf(user), takedown })
    expect(data).toEqual({ subject: accountOf(user), takedown })
    for (const read of reads) expect(await rejection(read())).toMatchObject({ status: 400 })
    expect(await rejection(com.atproto.sync.getRepo({ did }))).toMatchObject({ error: 'RepoTakendown' })
    expect(await rejection(com.atproto.sync.getBlob({ did, cid }))).toMatchObject({ error: 'RepoTakendown' })
    expect((await com.atproto.sync.getRepoStatus({ did })).data).toEqual({
      did,
      active: false,
      status: 'takendown',
    })
    const { repos } = (await com.atproto.sync.listRepos({ limit: 1000 })).data
    expect(repos.find((repo) => repo.did === did)).toMatchObject({ active: false, status: 'takendown' })
    expect(await status({ did })).toMatchObject({ takedown, deactivated: { applied: false } })
    expect((await eventsOf(pds, did)).at(-1)).toMatchObject({
      kind: 'account',
      active: false,
      status: 'takendown',
    })

    // Its sessions are over, and what is left of an access token writes nothing.
    const own = bearerOf(pds, accessJwt)
    for (const refused of [
      () => own.repo.createRecord({ repo: did, collection: POSTS, record: post('two') }),
      () => own.repo.uploadBlob(Buffer.from('x'), { encoding: 'text/plain' }),
      () => own.identity.updateHandle({ handle: `other-${handle}` }),
      () => bearerOf(pds, refreshJwt).server.refreshSession(),
    ]) {
      expect(await rejection(refused())).toMatchObject({ status: 401, error: 'AccountTakedown' })
    }
    expect((await operatorOf(pds).sync.getRepo({ did })).success).toBe(true)

    await update({ subject: accountOf(user), ...lifted })
    for (const read of reads) await read()
    expect((await eventsOf(pds, did)).at(-1)).toMatchObject({ kind: 'account', active: true })
    const again = stranger()
    await again.login({ identifier: handle, password: PASSWORD })
    await again.post({ text: 'three' })
  })

  test('may be signed in to, to move away', async () => {
    const user = await newUser()
    const { agent, did, handle } = user
    const app = (await agent.com.atproto.server.createAppPassword({ name: 'app' })).data.password
    await update({ subject: accountOf(user), ...takenDown })
    const login = (input: object) =>
      stranger().com.atproto.server.createSession({ identifier: handle, password: PASSWORD, ...input })
    expect(await rejection(login({}))).toMatchObject({ status: 401, error: 'AccountTakedown' })
    expect(await rejection(login({ password: app, allowTakendown: true }))).toMatchObject({
      status: 401,
      error: 'AuthenticationRequired',
    })
    const { data } = await login({ allowTakendown: true })
    expect(data).toMatchObject({ did, active: false, status: 'takendown' })

    const own = bearerOf(pds, data.accessJwt)
    expect((await own.sync.getRepo({ did })).data.length).toBeGreaterThan(100)
    expect((await own.sync.listBlobs({ did })).data.cids).toEqual([])
    const aud = 'did:web:elsewhere.example'
    await own.server.getServiceAuth({ aud, lxm: 'com.atproto.server.createAccount' })
    const tokenFor = (lxm?: string) => rejection(own.server.getServiceAuth({ aud, lxm }))
    expect(await tokenFor('com.atproto.repo.uploadBlob')).toMatchObject({ error: 'InvalidToken' })
    expect(await tokenFor()).toMatchObject({ status: 400, error: 'InvalidToken' })
    // A token from before the takedown opens no more doors.
    const before = agent.com.atproto.server.getServiceAuth({ aud, lxm: 'app.bsky.feed.getTimeline' })
    expect(await rejection(before)).toMatchObject({ status: 401, error: 'AccountTakedown' })
    const record = { repo: did, collection: POSTS, record: post('no') }
    for (const refused of [
      () => own.sync.getLatestCommit({ did }),
      () => own.server.getSession(),
      () => own.server.requestAccountDelete(),
      () => own.server.activateAccount(),
      () => own.repo.createRecord(record),
    ]) {
      expect(await rejection(refused())).toMatchObject({ status: 400, error: 'InvalidToken' })
    }
    const { server } = bearerOf(pds, data.refreshJwt)
    expect(await rejection(server.refreshSession())).toMatchObject({ error: 'AccountTakedown' })
    await update({ subject: accountOf(user), ...lifted })
    expect(await rejection(server.refreshSession())).toMatchObject({ error: 'ExpiredToken' })
    await update({ subject: accountOf(user), ...takenDown })

    // A second takedown ends what the first one left.
    expect(await rejection(own.server.deactivateAccount({}))).toMatchObject({ error: 'AccountTakedown' })
    const again = (await login({ allowTakendown: true })).data
    await bearerOf(pds, again.accessJwt).server.deactivateAccount({})
    expect(await status({ did })).toMatchObject({
      takedown: { applied: true, ref: expect.stringMatching(/^\d{4}-.*Z$/) },
      deactivated: { applied: true },
    })
    expect((await eventsOf(pds, did)).at(-1)).toMatchObject({ active: false, status: 'takendown' })
    const account = pds.services.accounts.find(did)!
    const full = bearerOf(pds, (await pds.services.sessions.issue(account)).accessJwt)
    expect(await rejection(full.server.activateAccount())).toMatchObject({ error: 'AccountNotFound' })
  })

  test('is one that lives here, and not activated at the same time', async () => {
    for (const change of [takenDown, { deactivated: { applied: true } }, {}]) {
      expect(await rejection(update({ subject: accountOf({ did: NOBODY }), ...change }))).toMatchObject({
        status: 400,
        message: 'Account not found',
      })
    }
    expect(await rejection(status({ did: NOBODY }))).toMatchObject({ status: 400, error: 'NotFound' })
    expect(await eventsOf(pds, NOBODY)).toEqual([])
    const user = await newUser()
    const both = { ...takenDown, deactivated: { applied: false } }
    expect(await rejection(update({ subject: accountOf(user), ...both }))).toMatchObject({ status: 400 })
    expect((await status({ did: user.did })).takedown).toEqual({ applied: false })
  })

  test('is deactivated, activated and announced by the operator', async () => {
    const user = await newUser()
    const last = async () => (await eventsOf(pds, user.did)).at(-1)
    const { data } = await update({ subject: accountOf(user), deactivated: { applied: true } })
    expect(data).toEqual({ subject: accountOf(user) })
    expect(await last()).toMatchObject({ kind: 'account', status: 'deactivated' })
    await update({ subject: accountOf(user), deactivated: { applied: false } })
    expect(await last()).toMatchObject({ kind: 'sync' })
    await update({ subject: accountOf(user) })
    expect(await last()).toMatchObject({ kind: 'account', active: true })
  })
})

describe('a record that is taken down', () => {
  test('is not read, and stays in the repository, which its owner signed', async () => {
    const { agent, did } = await newUser()
    const [kept, judged] = [await agent.post({ text: 'kept' }), await agent.post({ text: 'judged' })]
    const rkey = judged.uri.split('/').at(-1)!
    const subject = { $type: 'com.atproto.repo.strongRef', uri: judged.uri, cid: judged.cid }
    const uris = async () => {
      const { data } = await stranger().com.atproto.repo.listRecords({ repo: did, collection: POSTS })
      return data.records.map(({ uri }) => uri)
    }
    const read = () => stranger().com.atproto.repo.getRecord({ repo: did, collection: POSTS, rkey })
    expect(await uris()).toEqual([judged.uri, kept.uri])
    await update({ subject, takedown: { applied: true, ref: 'why' } })
    expect(await uris()).toEqual([kept.uri])
    expect(await rejection(read())).toMatchObject({ status: 400, error: 'RecordNotFound' })
    expect(await status({ uri: judged.uri })).toEqual({ subject, takedown: { applied: true, ref: 'why' } })
    expect((await status({ uri: kept.uri })).takedown).toEqual({ applied: false })
    await stranger().com.atproto.sync.getRecord({ did, collection: POSTS, rkey })
    // A new version of it is the same record.
    const again = { repo: did, collection: POSTS, rkey, record: post('judged again') }
    await agent.com.atproto.repo.putRecord(again)
    expect(await uris()).toEqual([kept.uri])
    // So is it when its owner brings the whole repository anew.
    const archive = (await agent.com.atproto.sync.getRepo({ did })).data
    await agent.com.atproto.repo.importRepo(archive, { encoding: 'application/vnd.ipld.car' })
    expect(await uris()).toEqual([kept.uri])
    expect(await status({ uri: judged.uri })).toMatchObject({ takedown: { applied: true, ref: 'why' } })
    await update({ subject, ...lifted })
    expect(await uris()).toEqual([judged.uri, kept.uri])
    await read()

    const foreign = `at://${NOBODY}/${POSTS}/x`
    for (const uri of [`at://${did}/${POSTS}/nothing`, foreign]) {
      expect(await rejection(status({ uri }))).toMatchObject({ status: 400, error: 'NotFound' })
    }
    const elsewhere = { ...subject, uri: foreign }
    expect(await rejection(update({ subject: elsewhere, ...takenDown }))).toMatchObject({ status: 400 })
  })
})

describe('a blob that is taken down', () => {
  test('is not handed out, not received again and not referred to', async () => {
    const { agent, did } = await newUser()
    const bytes = Buffer.from('a blob to be judged')
    const upload = () => agent.uploadBlob(bytes, { encoding: 'text/plain' })
    const { blob } = (await upload()).data
    const refer = (rkey: string) => {
      const record = { $type: 'com.example.file', blob: blob as BlobRef }
      return agent.com.atproto.repo.createRecord({ repo: did, collection: 'com.example.file', rkey, record })
    }
    await refer('a')
    const cid = blob.ref.toString()
    const subject = { $type: 'com.atproto.admin.defs#repoBlobRef', did, cid }
    const read = () => stranger().com.atproto.sync.getBlob({ did, cid })
    await read()
    await update({ subject, takedown: { applied: true, ref: 'why' } })
    expect(await rejection(read())).toMatchObject({ status: 400, message: 'Blob not found' })
    expect(await rejection(upload())).toMatchObject({ status: 400 })
    expect(await rejection(refer('b'))).toMatchObject({ status: 400, error: 'BlobNotFound' })
    expect(await status({ did, blob: cid })).toEqual({ subject, takedown: { applied: true, ref: 'why' } })
    await update({ subject, ...lifted })
    expect(Buffer.from((await read()).data)).toEqual(bytes)
    await refer('b')
    expect((await status({ did, blob: cid })).takedown).toEqual({ applied: false })

    expect(await rejection(status({ blob: cid }))).toMatchObject({ status: 400, error: 'InvalidRequest' })
    const other = 'bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy'
    expect(await rejection(status({ did, blob: other }))).toMatchObject({ status: 400, error: 'NotFound' })
    expect(await rejection(status({}))).toMatchObject({ status: 400, message: 'No provided subject' })
  })
})

describe('the moderation service', () => {
  test('is heard like the operator, when its token is for this method and this host', async () => {
    const user = await newUser()
    const call = (token: string) =>
      bearerOf(pds, token).admin.updateSubjectStatus({ subject: accountOf(user), ...takenDown })
    await call(await moderation.token({}))
    expect((await status({ did: user.did })).takedown?.applied).toBe(true)
    await call(await moderation.token({ iss: `${moderation.did}#atproto_labeler` }))
    const refused = async (claims: object) => rejection(call(await moderation.token(claims)))
    expect(await refused({ lxm: 'com.atproto.admin.getSubjectStatus' })).toMatchObject({
      status: 401,
      error: 'BadJwtLexiconMethod',
    })
    expect(await refused({ aud: 'did:web:x.example' })).toMatchObject({
      status: 401,
      error: 'BadJwtAudience',
    })
    expect(await refused({ iss: 'did:web:other.example' })).toMatchObject({
      status: 401,
      error: 'UntrustedIss',
    })
    const { accessJwt } = (await newUser()).agent.session!
    expect(await rejection(call(accessJwt))).toMatchObject({ status: 401, error: 'BadJwtType' })
    const { admin } = stranger().com.atproto
    const wrong = { authorization: `Basic ${Buffer.from('admin:wrong').toString('base64')}` }
    for (const headers of [wrong, {}]) {
      expect(await rejection(admin.getSubjectStatus({ did: user.did }, { headers }))).toMatchObject({
        status: 401,
        error: 'AuthenticationRequired',
      })
    }
  })

  test('is nobody where none is named', async () => {
    await using plain = await startPds({ plcUrl: plc.url })
    const { admin } = bearerOf(plain, await moderation.token({ lxm: 'com.atproto.admin.getSubjectStatus' }))
    expect(await rejection(admin.getSubjectStatus({ did: NOBODY }))).toMatchObject({
      status: 401,
      error: 'UntrustedIss',
    })
  })
})

/** A moderation service, as far as it is an identity with keys. */
async function startModeration() {
  const keys = { atproto: generateKey('ES256K'), atproto_label: generateKey('ES256K') }
  const server = createServer((_, response) => {
    const verificationMethod = Object.entries(keys).map(([name, key]) => ({
      id: `${did}#${name}`,
      type: 'Multikey',
      controller: did,
      publicKeyMultibase: formatMultikey(parseDidKey(key.did)),
    }))
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ id: did, verificationMethod }))
  })
  await once(server.listen(0, 'localhost'), 'listening')
  const did = `did:web:localhost%3A${(server.address() as AddressInfo).port}`
  return {
    did,
    token({ iss = did, aud = 'did:web:localhost', lxm = UPDATE }): Promise<string> {
      const key = iss.endsWith('#atproto_labeler') ? keys.atproto_label : keys.atproto
      const keypair = { jwtAlg: 'ES256K', did: () => key.did, sign: async (m: Uint8Array) => key.sign(m) }
      return createServiceJwt({ iss, aud, lxm, keypair })
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
