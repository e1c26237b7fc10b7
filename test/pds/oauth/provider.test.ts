/**
 * Apps on their way through OAuth: let in, writing, refused, refreshing, stolen from, signed out.
 */
import { gzipSync } from 'node:zlib'
import { JoseKey, type OAuthSession } from '@atproto/oauth-client-node'
import type { JWK } from 'jose'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { GRACE_SECONDS } from '../../../pds/oauth/token-store.ts'
import {
  askThrough,
  askWithProof,
  confidentialApp,
  loopbackApp,
  nonceOf,
  procedure,
  prove,
  signInToApp,
  type TestApp,
  Visitor,
} from '../../support/oauth.ts'
import { createUser, type InProcessPds, PASSWORD, post, startPds } from '../../support/pds.ts'
import { type PlcDirectory, startPlc } from '../../support/plc.ts'

const SCOPE = 'atproto repo:app.bsky.feed.post?action=create'

let plc: PlcDirectory
let pds: InProcessPds
let confidential: Awaited<ReturnType<typeof confidentialApp>>

beforeAll(async () => {
  plc = await startPlc()
  confidential = await confidentialApp(plc.url, SCOPE)
  pds = await startPds({ plcUrl: plc.url, clientFetch: confidential.clientFetch })
})

afterAll(async () => {
  await pds[Symbol.asyncDispose]()
  await plc[Symbol.asyncDispose]()
})

const create = (session: OAuthSession, collection: string, record: object) =>
  askThrough(
    session,
    '/xrpc/com.atproto.repo.createRecord',
    procedure({ repo: session.did, collection, record }),
  )

const GET_SESSION = '/xrpc/com.atproto.server.getSession'

/** Exchanges a refresh token by hand, as an app that others wrote would. @returns the status */
async function exchange(app: TestApp, did: string, token: string, key?: JWK): Promise<number> {
  const { client_id, token_endpoint_auth_method } = app.client.clientMetadata
  const url = `${pds.url}/oauth/token`
  const jwk = key ?? app.sessions.get(did)!.dpopJwk
  const dpop = await prove(jwk, { method: 'POST', url, nonce: await nonceOf(pds) })
  const assertion = token_endpoint_auth_method === 'none' ? {} : await confidential.assertion(pds.url)
  const form = { grant_type: 'refresh_token', refresh_token: token, client_id, ...assertion }
  const answer = await fetch(url, { method: 'POST', headers: { dpop }, body: new URLSearchParams(form) })
  await answer.body?.cancel()
  return answer.status
}

/** Revokes a token by hand, with a proof only where a key is given. */
async function revoke(app: TestApp, token: string, key?: JWK): Promise<[number, unknown]> {
  const { client_id, token_endpoint_auth_method } = app.client.clientMetadata
  const url = `${pds.url}/oauth/revoke`
  const dpop = key && (await prove(key, { method: 'POST', url, nonce: await nonceOf(pds) }))
  const assertion = token_endpoint_auth_method === 'none' ? {} : await confidential.assertion(pds.url)
  const form = { token, client_id, ...assertion }
  const headers = dpop === undefined ? {} : { dpop }
  const answer = await fetch(url, { method: 'POST', headers, body: new URLSearchParams(form) })
  return [answer.status, await answer.json()]
}

/** Whether an access token opens anything. */
async function isLive(key: JWK, accessToken: string): Promise<boolean> {
  const url = pds.url + GET_SESSION
  const proof = { method: 'GET', url, accessToken, nonce: await nonceOf(pds) }
  return (await askWithProof(url, accessToken, await prove(key, proof))).status === 200
}

afterEach(() => {
  vi.useRealTimers()
})

let names = 0
const newUser = () => createUser(pds, `user${names++}`)

describe.each([
  ['on somebody’s own machine', () => loopbackApp(pds, plc.url, SCOPE)],
  ['with a server and a key of its own', () => confidential.on(pds)],
])('an app %s', (_, makeApp: () => TestApp) => {
  test('signs somebody up, writes what it may, and nothing else', async () => {
    const { client } = makeApp()
    const visitor = new Visitor(pds)
    const page = await visitor.open((await client.authorize(pds.url, { scope: SCOPE })).href)
    expect(page.status).toBe(200)
    const handle = `newcomer${names++}.test`
    const free = await visitor.call('/verify-handle-availability', { handle })
    expect(free).toEqual({ status: 200, body: { available: true } })
    const input = { locale: 'en', handle, email: `${handle}@mail.example`, password: PASSWORD }
    const { status, body } = await visitor.call('/sign-up', input)
    expect(status).toBe(200)
    expect(body.account).toMatchObject({ handle, emailVerified: false, deactivated: false })
    expect(await visitor.call('/verify-handle-availability', { handle })).toMatchObject({
      status: 400,
      body: { error: 'handle_unavailable', reason: 'taken' },
    })
    const { session } = await client.callback(await visitor.consent(body.account.did, body.ephemeralToken))
    expect(session.did).toBe(body.account.did)

    const written = await create(session, 'app.bsky.feed.post', post('through an app'))
    expect(written.status).toBe(200)
    const subject = written.body as { uri: string; cid: string }
    const like = { subject: { uri: subject.uri, cid: subject.cid }, createdAt: new Date().toISOString() }
    expect(await create(session, 'app.bsky.feed.like', like)).toMatchObject({
      status: 403,
      body: { error: 'ScopeMissingError', message: expect.stringContaining('repo:app.bsky.feed.like') },
    })
  })

  test('refreshes its session, and ends it', async () => {
    const user = await newUser()
    const app = makeApp()
    const session = await signInToApp(app, pds, user, { scope: SCOPE })
    const first = app.sessions.get(user.did)!
    await session.getTokenInfo(true)
    const second = app.sessions.get(user.did)!
    expect(second.tokenSet.refresh_token).not.toBe(first.tokenSet.refresh_token)
    const got = await askThrough(session, GET_SESSION)
    expect(got).toMatchObject({ status: 200, body: { did: user.did } })
    expect(got.body).not.toHaveProperty('email')

    const url = pds.url + GET_SESSION
    const ask = async (accessToken: string) => {
      const proof = { method: 'GET', url, accessToken, nonce: await nonceOf(pds) }
      return askWithProof(url, accessToken, await prove(second.dpopJwk, proof))
    }
    expect(await ask(second.tokenSet.access_token)).toMatchObject({ status: 200 })
    // The token before the refresh is over at once.
    expect(await ask(first.tokenSet.access_token)).toMatchObject({ status: 401 })
    await session.signOut()
    expect(await ask(second.tokenSet.access_token)).toMatchObject({
      status: 401,
      body: { error: 'invalid_token' },
    })
    await expect(app.client.restore(user.did)).rejects.toThrow()
  })

  test('ends its session by either token, without a proof that it holds the key', async () => {
    for (const name of ['refresh_token', 'access_token'] as const) {
      const user = await newUser()
      const app = makeApp()
      await signInToApp(app, pds, user, { scope: SCOPE })
      const { tokenSet, dpopJwk } = app.sessions.get(user.did)!
      // Another app has no say in it, and neither has another key.
      const other = loopbackApp(pds, plc.url, `${SCOPE} rpc:*?aud=did:web:other.example`)
      expect(await revoke(other, tokenSet[name])).toMatchObject([400, { error: 'invalid_grant' }])
      const { privateJwk } = await JoseKey.generate(['ES256'])
      const refused = await revoke(app, tokenSet[name], privateJwk as JWK)
      expect(refused).toMatchObject([400, { error: 'invalid_grant' }])
      expect(await isLive(dpopJwk, tokenSet.access_token)).toBe(true)

      expect(await revoke(app, tokenSet[name])).toEqual([200, {}])
      expect(await isLive(dpopJwk, tokenSet.access_token)).toBe(false)
      expect(await exchange(app, user.did, tokenSet.refresh_token)).toBe(400)
      // What is no token any more, or never was one, is no error.
      expect(await revoke(app, tokenSet[name])).toEqual([200, {}])
      for (const token of ['x', 'ref-0', 'eyJhbGciOiJIUzI1NiJ9.e30.x']) {
        expect(await revoke(app, token)).toEqual([200, {}])
      }
    }
  })

  test('gets the same tokens again when the answer with them was lost', async () => {
    const user = await newUser()
    const app = makeApp()
    const session = await signInToApp(app, pds, user, { scope: SCOPE })
    const before = app.sessions.get(user.did)!
    await session.getTokenInfo(true)
    const { tokenSet } = app.sessions.get(user.did)!
    const again = makeApp()
    again.sessions.set(user.did, before)
    const restored = await again.client.restore(user.did, false)
    await Promise.all([restored.getTokenInfo(true), exchange(app, user.did, before.tokenSet.refresh_token)])
    expect(again.sessions.get(user.did)!.tokenSet).toMatchObject({
      access_token: tokenSet.access_token,
      refresh_token: tokenSet.refresh_token,
    })
    expect(await askThrough(session, GET_SESSION)).toMatchObject({ status: 200 })
    // Once the successor was exchanged itself, the lost answer is no excuse.
    await session.getTokenInfo(true)
    expect(await exchange(app, user.did, before.tokenSet.refresh_token)).toBe(400)
    expect(await askThrough(session, GET_SESSION)).toMatchObject({ status: 401 })
  })

  test('loses its session when a refresh token comes again with another key', async () => {
    const user = await newUser()
    const app = makeApp()
    const session = await signInToApp(app, pds, user, { scope: SCOPE })
    const { refresh_token } = app.sessions.get(user.did)!.tokenSet
    await session.getTokenInfo(true)
    const { privateJwk } = await JoseKey.generate(['ES256'])
    expect(await exchange(app, user.did, refresh_token, privateJwk as JWK)).toBe(400)
    expect(await askThrough(session, GET_SESSION)).toMatchObject({ status: 401 })
  })

  test('loses its session when a refresh token comes a second time', async () => {
    const user = await newUser()
    const app = makeApp()
    const session = await signInToApp(app, pds, user, { scope: SCOPE })
    const stolen = app.sessions.get(user.did)!
    await session.getTokenInfo(true)
    expect(await askThrough(session, GET_SESSION)).toMatchObject({ status: 200 })
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + (GRACE_SECONDS + 1) * 1000 })
    // Whoever took everything that the app kept comes back with it.
    const thief = makeApp()
    thief.sessions.set(user.did, stolen)
    const restored = await thief.client.restore(user.did, false)
    await expect(restored.getTokenInfo(true)).rejects.toThrow(/replayed|deleted/)
    expect(await askThrough(session, GET_SESSION)).toMatchObject({
      status: 401,
      body: { error: 'invalid_token' },
    })
    await expect(app.client.restore(user.did)).rejects.toThrow()
  })

  test('is turned away', async () => {
    const { client } = makeApp()
    const visitor = new Visitor(pds)
    await visitor.open((await client.authorize(pds.url, { scope: SCOPE })).href)
    await expect(client.callback(await visitor.reject())).rejects.toThrow(/rejected/)
  })
})

test('what apps send is not unpacked, whatever it would unpack to', async () => {
  const answer = await fetch(`${pds.url}/oauth/par`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-encoding': 'gzip, gzip' },
    body: gzipSync(gzipSync('{}')),
  })
  expect(answer.status).toBe(415)
  expect(await answer.json()).toMatchObject({ error: 'invalid_request' })
})

describe('a proof that an app holds its key', () => {
  const url = () => pds.url + GET_SESSION
  let kept: { accessToken: string; jwk: Parameters<typeof prove>[0] }

  beforeAll(async () => {
    const user = await newUser()
    const app = loopbackApp(pds, plc.url, SCOPE)
    await signInToApp(app, pds, user, { scope: SCOPE })
    const { tokenSet, dpopJwk } = app.sessions.get(user.did)!
    kept = { accessToken: tokenSet.access_token, jwk: dpopJwk }
  })

  const proof = async (more: Partial<Parameters<typeof prove>[1]> = {}) =>
    prove(kept.jwk, {
      method: 'GET',
      url: url(),
      accessToken: kept.accessToken,
      nonce: await nonceOf(pds),
      ...more,
    })
  const ask = (text: string) => askWithProof(url(), kept.accessToken, text)

  test('is good once', async () => {
    const text = await proof()
    expect(await ask(text)).toMatchObject({ status: 200 })
    expect(await ask(text)).toMatchObject({
      status: 401,
      body: { message: expect.stringContaining('replayed') },
    })
  })

  test.each([
    ['without a nonce', { nonce: undefined }],
    ['with a nonce that is none of ours', { nonce: 'made-up' }],
  ])('%s is told which to use', async (_, more) => {
    const { status, headers, body } = await ask(await proof(more))
    expect(status).toBe(401)
    expect(body.error).toBe('use_dpop_nonce')
    expect(headers.get('www-authenticate')).toContain('use_dpop_nonce')
    expect(headers.get('access-control-expose-headers')).toContain('DPoP-Nonce')
    const nonce = headers.get('dpop-nonce')!
    expect(await ask(await proof({ nonce }))).toMatchObject({ status: 200 })
  })

  test.each([
    ['for another address', () => ({ url: `${pds.url}/xrpc/com.atproto.server.getServiceAuth` })],
    ['for another verb', () => ({ method: 'POST' })],
    ['for another token', () => ({ accessToken: 'another' })],
  ])('%s is refused', async (_, more) => {
    expect(await ask(await proof(more()))).toMatchObject({ status: 401 })
  })

  test('is needed: the token alone is none', async () => {
    const headers = { authorization: `Bearer ${kept.accessToken}` }
    const answer = await fetch(url(), { headers })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ error: 'InvalidToken' })
  })
})
