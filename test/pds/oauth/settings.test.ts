/**
 * What the operator and the servers of apps have a say in: invites, captcha, looks, trusted apps,
 * permission sets, what is cleared away.
 */
import Sqlite3 from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  askThrough,
  confidentialApp,
  loopbackApp,
  procedure,
  signInToApp,
  Visitor,
} from '../../support/oauth.ts'
import { createUser, PASSWORD, post, startPds } from '../../support/pds.ts'
import { type PlcDirectory, startPlc } from '../../support/plc.ts'
import { freePort, temporaryFolder } from '../../support/processes.ts'

let plc: PlcDirectory
beforeEach(async () => {
  plc = await startPlc()
})
afterEach(async () => {
  vi.unstubAllGlobals()
  await plc[Symbol.asyncDispose]()
})

const newcomer = (handle: string) => ({
  locale: 'en',
  handle,
  email: `${handle}@mail.example`,
  password: PASSWORD,
})

describe('signing up', () => {
  test('takes an invite code where the operator says so', async () => {
    await using pds = await startPds({ plcUrl: plc.url, env: { PDS_INVITE_REQUIRED: 'true' } })
    const [made] = await pds.services.invites.create(['admin'], 1, 1)
    const inviteCode = made!.codes[0]!
    const visitor = new Visitor(pds)
    await visitor.open('/account')
    const signUp = (more: object) => visitor.call('/sign-up', { ...newcomer('invited.test'), ...more })
    expect(await signUp({})).toMatchObject({ body: { error_description: 'Invite code is required' } })
    expect(await signUp({ inviteCode: 'made-up' })).toMatchObject({
      status: 400,
      body: { error_description: expect.stringMatching(/^This invite code is invalid\./) },
    })
    expect(await signUp({ inviteCode })).toMatchObject({ status: 200 })
    const again = { ...newcomer('other.test'), inviteCode }
    expect(await visitor.call('/sign-up', again)).toMatchObject({ status: 400 })
  })

  test('takes a captcha where the operator has one', async () => {
    const asked: URLSearchParams[] = []
    // The library asks the captcha's own server.
    const { fetch } = globalThis
    vi.stubGlobal('fetch', async (input: string | Request, init?: RequestInit) => {
      const request = new Request(input, init)
      if (request.url !== 'https://api.hcaptcha.com/siteverify') return fetch(request)
      const form = new URLSearchParams(await request.text())
      asked.push(form)
      const success = form.get('response') === 'a human'
      return Response.json({ success, challenge_ts: new Date().toISOString(), hostname: null })
    })
    await using pds = await startPds({
      plcUrl: plc.url,
      env: {
        PDS_HCAPTCHA_SITE_KEY: 'the-site-key',
        PDS_HCAPTCHA_SECRET_KEY: 'the-secret-key',
        PDS_HCAPTCHA_TOKEN_SALT: 'salt',
      },
    })
    const visitor = new Visitor(pds)
    const { text } = await visitor.open('/account')
    expect(text).toContain('the-site-key')
    expect(text).not.toContain('the-secret-key')
    const signUp = (more: object) => visitor.call('/sign-up', { ...newcomer('human.test'), ...more })
    expect(await signUp({})).toMatchObject({
      status: 400,
      body: { error_description: 'hCaptcha token is required' },
    })
    expect(await signUp({ hcaptchaToken: 'a machine' })).toMatchObject({
      status: 400,
      body: { error_description: 'hCaptcha verification failed' },
    })
    expect(await signUp({ hcaptchaToken: 'a human' })).toMatchObject({ status: 200 })
    expect(asked.map((body) => body.get('secret'))).toEqual(['the-secret-key', 'the-secret-key'])
  })

  test('takes no address and no handle twice', async () => {
    await using pds = await startPds({ plcUrl: plc.url })
    const { handle } = await createUser(pds, 'first')
    const visitor = new Visitor(pds)
    await visitor.open('/account')
    expect(
      await visitor.call('/sign-up', { ...newcomer('second.test'), email: 'First@mail.example' }),
    ).toMatchObject({ status: 400, body: { error_description: 'Email already taken' } })
    expect(await visitor.call('/sign-up', newcomer(handle))).toMatchObject({ body: { reason: 'taken' } })
    expect(await visitor.call('/sign-up', newcomer('a.elsewhere.example'))).toMatchObject({
      body: { error: 'handle_unavailable' },
    })
  })
})

test('a password is guessed at so often and no more, by the pages as by the method', async () => {
  await using pds = await startPds({ plcUrl: plc.url, env: { PDS_RATE_LIMITS_ENABLED: 'true' } })
  const visitor = new Visitor(pds)
  await visitor.open('/account')
  const guess = (username: string) => visitor.signIn(username, 'a guess')
  const guesses = await Promise.all(Array.from({ length: 30 }, () => guess('somebody.test')))
  expect(new Set(guesses.map(({ body }) => body.error_description))).toEqual(
    new Set(['Invalid identifier or password']),
  )
  expect(await guess('somebody.test')).toMatchObject({
    status: 429,
    body: { error: 'rate_limit_exceeded' },
  })
  expect(await guess('else.test')).toMatchObject({ status: 400 })
})

test('the pages are in the operator’s name, colors and links', async () => {
  await using pds = await startPds({
    plcUrl: plc.url,
    env: {
      PDS_SERVICE_NAME: 'The Harbour',
      PDS_LOGO_URL: 'https://harbour.example/logo.png',
      PDS_PRIMARY_COLOR: '#1e90ff',
      PDS_PRIVACY_POLICY_URL: 'https://harbour.example/privacy',
    },
  })
  const { text } = await new Visitor(pds).open('/account')
  for (const part of ['The Harbour', 'harbour.example/logo.png', '30 144 255', 'harbour.example/privacy']) {
    expect(text).toContain(part)
  }
})

test('the OAuth metadata lists every endpoint', async () => {
  await using pds = await startPds({ plcUrl: plc.url })
  const get = async (path: string) => (await fetch(pds.url + path)).json()
  expect(await get('/.well-known/oauth-protected-resource')).toMatchObject({
    resource: pds.url,
    authorization_servers: [pds.url],
  })
  expect(await get('/.well-known/oauth-authorization-server')).toMatchObject({
    issuer: pds.url,
    token_endpoint: `${pds.url}/oauth/token`,
    pushed_authorization_request_endpoint: `${pds.url}/oauth/par`,
    require_pushed_authorization_requests: true,
    code_challenge_methods_supported: ['S256'],
    client_id_metadata_document_supported: true,
  })
  // The key of the tokens is a secret, and no page of it.
  expect(await get('/oauth/jwks')).toEqual({ keys: [] })
  const change = await fetch(`${pds.url}/.well-known/change-password`, { redirect: 'manual' })
  expect(change.headers.get('location')).toContain('/account/reset-password')
})

test('apps of the operator’s choice are trusted', async () => {
  const scope = 'atproto'
  const app = await confidentialApp(plc.url, scope)
  const env = { PDS_OAUTH_TRUSTED_CLIENTS: app.metadata.client_id }
  await using pds = await startPds({ plcUrl: plc.url, clientFetch: app.clientFetch, env })
  const { text } = await new Visitor(pds).open((await app.on(pds).client.authorize(pds.url, { scope })).href)
  expect(text).toMatch(/clientTrusted[^a-z]+true/)
})

test('what an app publishes is fetched under the guard', async () => {
  await using pds = await startPds({ plcUrl: plc.url, env: { PDS_DISABLE_SSRF_PROTECTION: 'false' } })
  const answer = await fetch(`${pds.url}/oauth/par`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      // A name that the guard knows to be nobody's, and does not look up.
      client_id: 'https://app.example.com/client.json',
      response_type: 'code',
      redirect_uri: 'https://app.example.com/callback',
      scope: 'atproto',
      code_challenge: 'a'.repeat(43),
      code_challenge_method: 'S256',
    }),
  })
  expect(answer.status).toBe(400)
  expect(await answer.json()).toMatchObject({
    error: 'invalid_client_metadata',
    error_description: expect.stringContaining('Forbidden hostname'),
  })
})

describe('a permission set', () => {
  const NSID = 'com.example.authBasic'
  const SCOPE = `atproto include:${NSID}`
  const lexicon = {
    $type: 'com.atproto.lexicon.schema',
    lexicon: 1,
    id: NSID,
    defs: {
      main: {
        type: 'permission-set',
        title: 'Notes',
        detail: 'Keep notes',
        permissions: [{ type: 'permission', resource: 'repo', collection: ['com.example.note'] }],
      },
    },
  }
  const note = (did: string, collection: string) =>
    procedure({ repo: did, collection, record: { $type: collection, text: 'a note' }, validate: false })

  test.each(['here', 'on another server'])('published %s gives what it contains', async (place) => {
    using folder = temporaryFolder()
    // The authority's DID is known once it has an account.
    const env = { PDS_PORT: String(await freePort()) }
    await using elsewhere = await startPds({ plcUrl: plc.url, folder: folder.path, env })
    const authority = await createUser(elsewhere, 'authority')
    const user = await createUser(elsewhere, 'anna')
    await authority.agent.com.atproto.repo.putRecord({
      repo: authority.did,
      collection: 'com.atproto.lexicon.schema',
      rkey: NSID,
      record: lexicon,
      validate: false,
    })
    const set = { PDS_LEXICON_AUTHORITY_DID: authority.did }
    if (place === 'here') await elsewhere[Symbol.asyncDispose]()
    const options = place === 'here' ? { folder: folder.path, env: { ...env, ...set } } : { env: set }
    await using pds = await startPds({ plcUrl: plc.url, ...options })
    const person = place === 'here' ? user : await createUser(pds, 'person')
    const app = loopbackApp(pds, plc.url, SCOPE)
    const session = await signInToApp(app, pds, person, { scope: SCOPE })
    const create = '/xrpc/com.atproto.repo.createRecord'
    const written = await askThrough(session, create, note(person.did, 'com.example.note'))
    expect(written.status).toBe(200)
    const refused = await askThrough(session, create, note(person.did, 'com.example.other'))
    expect(refused).toMatchObject({ status: 403, body: { error: 'ScopeMissingError' } })
    const db = new Sqlite3(`${pds.folder}/atoll.sqlite`, { readonly: true })
    expect(db.prepare('SELECT nsid, lexicon IS NOT NULL AS found FROM lexicon').all()).toEqual([
      { nsid: NSID, found: 1 },
    ])
    db.close()
  })
})

describe('what is over', () => {
  test('is cleared away, and what is not stays', async () => {
    await using pds = await startPds({ plcUrl: plc.url })
    const user = await createUser(pds, 'anna')
    const app = loopbackApp(pds, plc.url, 'atproto')
    const session = await signInToApp(app, pds, user, { scope: 'atproto' })
    const count = (table: string) => {
      const db = new Sqlite3(`${pds.folder}/atoll.sqlite`)
      try {
        return db.prepare(`SELECT count(*) FROM ${table}`).pluck().get()
      } finally {
        db.close()
      }
    }
    // 250 of each, more than one transaction takes, and long ago.
    const db = new Sqlite3(`${pds.folder}/atoll.sqlite`)
    const long = new Date(Date.now() - 3 * 365 * 86_400_000).toISOString()
    const { id } = pds.services.accounts.find(user.did)!
    for (let n = 0; n < 250; n++) {
      db.prepare(
        `INSERT INTO oauth_request (id, clientId, clientAuth, parameters, expiresAt) VALUES (?, 'c', 'null', '{}', ?)`,
      ).run(`req-${n}`, long)
      db.prepare(
        `INSERT INTO oauth_token (account, tokenId, createdAt, updatedAt, expiresAt, clientId, clientAuth, parameters, scope)
         VALUES (?, ?, ?, ?, ?, 'c', '{}', '{}', 'atproto')`,
      ).run(id, `tok-${n}`, long, long, long)
      db.prepare(
        `INSERT INTO device (id, sessionId, ipAddress, lastSeenAt) VALUES (?, ?, '127.0.0.1', ?)`,
      ).run(`dev-${n}`, `ses-${n}`, long)
      db.prepare(
        'INSERT INTO device_account (device, account, createdAt, updatedAt) VALUES (?, ?, ?, ?)',
      ).run(`dev-${n}`, id, long, long)
      db.prepare('INSERT INTO lexicon (nsid, createdAt, updatedAt) VALUES (?, ?, ?)').run(
        `a.b.c${n}`,
        long,
        long,
      )
    }
    db.close()
    await pds.services.oauthPruning.prune()
    expect(['oauth_request', 'oauth_token', 'device', 'device_account', 'lexicon'].map(count)).toEqual([
      0, 1, 1, 1, 0,
    ])
    expect(await askThrough(session, '/xrpc/com.atproto.server.getSession')).toMatchObject({ status: 200 })
  })
})

test('sessions go on after a restart', async () => {
  using folder = temporaryFolder()
  const env = { PDS_PORT: String(await freePort()) }
  const options = { plcUrl: plc.url, folder: folder.path, env }
  const first = await startPds(options)
  const user = await createUser(first, 'anna')
  const app = loopbackApp(first, plc.url, 'atproto repo:app.bsky.feed.post')
  const session = await signInToApp(app, first, user, { scope: 'atproto repo:app.bsky.feed.post' })
  await first[Symbol.asyncDispose]()
  await using _second = await startPds(options)
  const input = { repo: user.did, collection: 'app.bsky.feed.post', record: post('after the restart') }
  const create = '/xrpc/com.atproto.repo.createRecord'
  expect(await askThrough(session, create, procedure(input))).toMatchObject({ status: 200 })
  await session.getTokenInfo(true)
  expect(await askThrough(session, create, procedure(input))).toMatchObject({ status: 200 })
})
