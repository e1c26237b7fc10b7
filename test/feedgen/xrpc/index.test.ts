/** The service as the network sees it: methods, tokens, the DID document. */
import { AtpAgent } from '@atproto/api'
import { P256Keypair, Secp256k1Keypair } from '@atproto/crypto'
import { IdResolver } from '@atproto/identity'
import { createServiceJwt } from '@atproto/xrpc-server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Author } from '../../support/author.ts'
import { type Directory, startDirectory } from '../../support/directory.ts'
import { freePort } from '../../support/processes.ts'
import { type Relay, startRelay } from '../../support/relay.ts'
import { SERVICE_DID, startFeedgen, type TestFeedgen } from '../support.ts'

const METHOD = 'app.bsky.feed.getFeedSkeleton'
const publisherDid = 'did:plc:4z4ea4z4z4z4z4z4z4z4z4z4'
const feedUri = (name: string, publisher = publisherDid) =>
  `at://${publisher}/app.bsky.feed.generator/${name}`

/** When the first post is made. */
const START = Date.now() - 3_600_000

let directory: Directory
let relay: Relay
let feedgen: TestFeedgen
const posts: string[] = []
const writer = new Author()
/** Follows the writer, as they do the viewer. */
const viewer = new Author()

beforeAll(async () => {
  directory = await startDirectory()
  relay = await startRelay()
  feedgen = await startFeedgen({
    endpoints: [relay.url],
    plcUrl: directory.url,
    publisherDid,
    serviceDid: SERVICE_DID,
  })
  for (const author of [writer, viewer]) author.register(directory)
  for (let i = 0; i < 60; i++) {
    const { uri, event } = writer.post(`post ${i}`, {
      createdAt: new Date(START + i).toISOString(),
    })
    relay.emit(event)
    posts.unshift(uri)
  }
  await feedgen.reached(relay.url, relay.emit(viewer.follow(writer.did).event))
})

afterAll(async () => {
  await feedgen?.[Symbol.asyncDispose]()
  await relay?.[Symbol.asyncDispose]()
  await directory?.[Symbol.asyncDispose]()
})

const skeleton = (name: string, params: Record<string, string> = {}, headers: Record<string, string> = {}) =>
  feedgen.get(METHOD, { feed: feedUri(name), ...params }, headers)

describe('getFeedSkeleton', () => {
  test('gives 50 posts by default, and as many as are asked for', async () => {
    const page = await skeleton('latest')
    expect(page.status).toBe(200)
    expect(page.body.feed).toEqual(posts.slice(0, 50).map((post) => ({ post })))
    expect((await skeleton('latest', { limit: '1' })).body.feed).toEqual([{ post: posts[0] }])
    const whole = await skeleton('latest', { limit: '100' })
    expect(whole.body.feed).toHaveLength(60)
    expect(whole.body).not.toHaveProperty('cursor')
  })

  test('is paged by the official client', async () => {
    const agent = new AtpAgent({ service: feedgen.url })
    const shown: string[] = []
    let cursor: string | undefined
    do {
      const { data } = await agent.app.bsky.feed.getFeedSkeleton({
        feed: feedUri('latest'),
        limit: 7,
        cursor,
      })
      shown.push(...data.feed.map(({ post }) => post))
      cursor = data.cursor
    } while (cursor)
    expect(shown).toEqual(posts)
  })

  test.for([
    [feedUri('unheard-of'), 'UnknownFeed'],
    [feedUri('constructor'), 'UnknownFeed'],
    [feedUri('latest', 'did:plc:somebodyelse'), 'UnknownFeed'],
    [`at://${publisherDid}/app.bsky.feed.post/latest`, 'UnknownFeed'],
    ['latest', 'InvalidRequest'],
  ])('knows no feed %s', async ([feed, error]) => {
    expect(await feedgen.get(METHOD, { feed: feed! })).toMatchObject({ status: 400, body: { error } })
  })

  test.for([
    [feedUri('unheard-of'), 'not known here'],
    [feedUri('latest', 'alice.test'), 'name it by its DID'],
    [`at://${publisherDid}/app.bsky.feed.post/latest`, 'named by the URI of its record'],
  ] as const)('says why it does not serve %s', async ([feed, message]) => {
    const { body } = await feedgen.get(METHOD, { feed })
    expect(body.message).toContain(message)
  })

  test('is of the languages that are asked for, and says so', async () => {
    const ask = async (languages: string, name = 'latest') => {
      const url = `${feedgen.url}/xrpc/${METHOD}?feed=${encodeURIComponent(feedUri(name))}`
      const response = await fetch(url, { headers: { 'accept-language': languages } })
      return [response.status, response.headers.get('content-language')]
    }
    expect(await ask('fy, fr-CA;q=0.5')).toEqual([200, 'fy, fr-CA'])
    expect(await ask('fy', 'hot')).toEqual([200, 'fy'])
    expect(await ask('*')).toEqual([200, null])
  })

  test('answers pages of every origin', async () => {
    const url = `${feedgen.url}/xrpc/${METHOD}?feed=${encodeURIComponent(feedUri('latest'))}`
    const preflight = await fetch(url, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://studio.example',
        'access-control-request-headers': 'authorization,atoll-page',
      },
    })
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('access-control-allow-origin')).toBe('*')
    expect(preflight.headers.get('access-control-allow-headers')).toContain('authorization')
    const { headers } = await fetch(url, { headers: { origin: 'https://studio.example' } })
    expect(headers.get('access-control-allow-origin')).toBe('*')
  })

  test.for([{ limit: '0' }, { limit: '101' }, { limit: 'x' }, { cursor: 'rubbish' }])(
    'refuses %o',
    async (params) => {
      expect(await skeleton('latest', params as unknown as Record<string, string>)).toMatchObject({
        status: 400,
        body: { error: 'InvalidRequest' },
      })
    },
  )

  test('takes an empty cursor for none', async () => {
    expect((await skeleton('latest', { cursor: '', limit: '1' })).body.feed).toEqual([{ post: posts[0] }])
  })
})

describe('methods that make lists', () => {
  const list = async (address: string) => {
    const definition = {
      $type: 'social.atoll.feed.algorithm',
      sources: [{ $type: 'social.atoll.feed.sources#network', windowHours: 1 }],
      score: { order: 'newest' },
      createdAt: '2026-11-01T00:00:00.000Z',
    }
    const response = await fetch(`${feedgen.url}/xrpc/social.atoll.feed.backtest`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': address },
      body: JSON.stringify({ definition }),
    })
    return response.status
  }

  test("are limited by the caller's address, taken from x-forwarded-for", async () => {
    for (let i = 0; i < 6; i++) expect(await list('198.51.100.1')).toBe(200)
    expect(await list('198.51.100.1')).toBe(429)
    expect(await list('198.51.100.2')).toBe(200)
    // What the caller wrote before the proxy's word counts for nothing.
    expect(await list('203.0.113.9, 198.51.100.1')).toBe(429)
    for (let i = 0; i < 6; i++) expect(await list(`2001:db8::${i}`)).toBe(200)
    expect(await list('2001:db8::6'), 'of the same network').toBe(429)
  })

  test('are limited whatever they ask for, pages of feeds by themselves', async () => {
    await using limited = await startFeedgen({
      endpoints: [],
      plcUrl: 'http://localhost:1',
      rateLimits: { requestsIn5Minutes: 2, feedRequestsIn5Minutes: 1, bypassIps: ['198.51.100.9'] },
    })
    const ask = async (path: string, address: string) =>
      (await fetch(limited.url + path, { headers: { 'x-forwarded-for': address } })).status
    const FEED = '/xrpc/app.bsky.feed.getFeedSkeleton?feed=at://did:web:a.test/app.bsky.feed.generator/a'
    expect([await ask('/', '2001:db8::1'), await ask('/xrpc/_health', '2001:db8::2')]).toEqual([200, 200])
    expect(await ask('/.well-known/did.json', '2001:db8::3')).toBe(429)
    expect([await ask(FEED, '2001:db8::4'), await ask(FEED, '2001:db8::5')]).toEqual([400, 429])
    for (let n = 0; n < 4; n++) expect(await ask('/', '198.51.100.9')).toBe(200)
  })
})

/**
 * A token of the viewer's for this service, with some of its claims changed; null takes one out.
 */
async function token(
  { key = viewer.key, ...claims }: { key?: { export(): Uint8Array }; [claim: string]: unknown } = {},
  header: object = {},
): Promise<Record<string, string>> {
  const keypair = await Secp256k1Keypair.import(key.export())
  const now = Math.floor(Date.now() / 1000)
  const all = { iss: viewer.did, aud: SERVICE_DID, lxm: METHOD, iat: now, exp: now + 60, ...claims }
  const payload = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null))
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const signed = `${encode({ typ: 'JWT', alg: 'ES256K', ...header })}.${encode(payload)}`
  const signature = await keypair.sign(Buffer.from(signed))
  return { authorization: `Bearer ${signed}.${Buffer.from(signature).toString('base64url')}` }
}

describe('a token', () => {
  test('is needed by a feed that is made for its viewer', async () => {
    for (const name of ['following', 'mutuals']) {
      expect(await skeleton(name)).toMatchObject({ status: 401, body: { error: 'AuthMissing' } })
    }
  })

  test('identifies the viewer, with either form of audience', async () => {
    for (const aud of [SERVICE_DID, `${SERVICE_DID}#bsky_fg`]) {
      const { status, body } = await skeleton('following', { limit: '1' }, await token({ aud }))
      expect({ status, feed: body.feed }).toEqual({ status: 200, feed: [{ post: posts[0] }] })
    }
    const { body } = await skeleton('mutuals', {}, await token())
    expect(body).toEqual({ feed: [] })
  })

  test('made by @atproto/xrpc-server is accepted, with either kind of key', async () => {
    const keypairs = [
      await Secp256k1Keypair.create({ exportable: true }),
      await P256Keypair.create({ exportable: true }),
    ]
    for (const keypair of keypairs) {
      const did = `did:plc:${keypair.jwtAlg.toLowerCase().padEnd(24, 'a')}`
      const method = {
        id: `${did}#atproto`,
        type: 'Multikey',
        controller: did,
        publicKeyMultibase: keypair.did().slice('did:key:'.length),
      }
      directory.documents.set(did, { id: did, verificationMethod: [method] })
      const jwt = await createServiceJwt({ iss: did, aud: SERVICE_DID, lxm: METHOD, keypair })
      const headers = { authorization: `Bearer ${jwt}` }
      expect((await skeleton('following', {}, headers)).status).toBe(200)
    }
  })

  test('with a jti is accepted once', async () => {
    const headers = await token({ jti: 'number one' })
    expect((await skeleton('following', {}, headers)).status).toBe(200)
    expect(await skeleton('following', {}, headers)).toMatchObject({
      status: 401,
      body: { error: 'JwtReplayed' },
    })
    expect((await skeleton('following', {}, await token({ jti: 'number two' }))).status).toBe(200)
  })

  test('is verified with the new key once that has changed', async () => {
    const author = new Author().register(directory)
    expect((await skeleton('following', {}, await token({ iss: author.did, key: author.key }))).status).toBe(
      200,
    )
    const changed = new Author({ did: author.did }).register(directory)
    expect((await skeleton('following', {}, await token({ iss: author.did, key: changed.key }))).status).toBe(
      200,
    )
    expect(directory.requests.filter((did) => did === author.did)).toHaveLength(2)
    expect(await skeleton('following', {}, await token({ iss: author.did, key: author.key }))).toMatchObject({
      status: 401,
      body: { error: 'BadJwtSignature' },
    })
  })

  const past = Math.floor(Date.now() / 1000) - 10
  const bad: [string, string, () => Promise<Record<string, string>>][] = [
    ['that has expired', 'JwtExpired', () => token({ exp: past })],
    ['that lives too long', 'BadJwt', () => token({ exp: past + 3_800 })],
    ['without an end', 'BadJwt', () => token({ exp: null })],
    ['for another service', 'BadJwtAudience', () => token({ aud: 'did:web:other.test' })],
    ['for another of our services', 'BadJwtAudience', () => token({ aud: `${SERVICE_DID}#other` })],
    ['for no service', 'BadJwt', () => token({ aud: null })],
    ['for another method', 'BadJwtLexiconMethod', () => token({ lxm: 'app.bsky.feed.getFeed' })],
    ['for no method', 'BadJwtLexiconMethod', () => token({ lxm: null })],
    ['of nobody', 'BadJwtIss', () => token({ iss: 'alice.test' })],
    ['of somebody who does not exist', 'BadJwtIss', () => token({ iss: new Author().did })],
    ['that somebody else signed', 'BadJwtSignature', () => token({ key: writer.key })],
    ['that nobody signed', 'BadJwt', () => token({}, { alg: 'none' })],
    ['that says another algorithm', 'BadJwtSignature', () => token({}, { alg: 'ES256' })],
    ['that is a session of a PDS', 'BadJwtType', () => token({}, { typ: 'at+jwt' })],
    ['with a number that is no text', 'BadJwt', () => token({ jti: 7 })],
    ['that is none', 'BadJwt', async () => ({ authorization: 'Bearer a.b.c' })],
    [
      'of another kind',
      'BadJwt',
      async () => ({ authorization: `Basic ${Buffer.from('a:b').toString('base64')}` }),
    ],
    ['that is empty', 'BadJwt', async () => ({ authorization: 'Bearer ' })],
    ['that is too long', 'BadJwt', async () => ({ authorization: `Bearer ${'a'.repeat(10_000)}.b.c` })],
  ]
  test.for(bad)('%s is refused, also by a feed that needs none', async ([, error, make]) => {
    for (const name of ['following', 'latest']) {
      expect(await skeleton(name, {}, await make())).toMatchObject({ status: 401, body: { error } })
    }
  })

  test('whose key cannot be looked up now is not reported as invalid', async () => {
    const author = new Author()
    directory.failing = 503
    const answer = await skeleton('following', {}, await token({ iss: author.did, key: author.key }))
    directory.failing = undefined
    expect(answer.status).toBe(502)
  })
})

describe('the feeds served', () => {
  test('are the publisher’s', async () => {
    const feeds = ['latest', 'hot', 'following', 'mutuals'].map((name) => ({ uri: feedUri(name) }))
    const { status, body } = await feedgen.get('app.bsky.feed.describeFeedGenerator')
    expect({ status, body }).toEqual({ status: 200, body: { did: SERVICE_DID, feeds } })
  })

  test('are, without a publisher, those of everyone whose records name this service', async () => {
    await using anyone = await startFeedgen({
      endpoints: [relay.url],
      plcUrl: directory.url,
      serviceDid: SERVICE_DID,
    })
    const author = new Author().register(directory)
    const path = 'app.bsky.feed.generator/hot'
    const uri = author.uri(path)
    const record = { displayName: 'Hot', createdAt: new Date().toISOString() }
    const describeAll = async () => (await anyone.get('app.bsky.feed.describeFeedGenerator')).body.feeds
    const ask = async () => (await anyone.get(METHOD, { feed: uri })).status
    expect([await describeAll(), await ask()]).toEqual([[], 400])
    relay.emit(author.commit({ 'app.bsky.feed.generator/unheard-of': { ...record, did: SERVICE_DID } }))
    await anyone.reached(relay.url, relay.emit(author.commit({ [path]: { ...record, did: SERVICE_DID } })))
    expect([await describeAll(), await ask()]).toEqual([[{ uri }], 200])
    // It moves to another service.
    await anyone.reached(
      relay.url,
      relay.emit(author.commit({ [path]: { ...record, did: 'did:web:other.test' } })),
    )
    expect([await describeAll(), await ask()]).toEqual([[], 400])
  })
})

describe('a built-in feed', () => {
  const call = (name: string, params: Record<string, string>) =>
    feedgen.get(`social.atoll.feed.${name}`, params)

  test.each(['latest', 'hot', 'following', 'mutuals'])('%s returns its algorithm', async (name) => {
    const { status, body } = await call('getAlgorithm', { feed: feedUri(name) })
    expect([status, body]).toMatchObject([200, { creator: publisherDid, served: true, builtIn: true }])
    const preview = await fetch(`${feedgen.url}/xrpc/social.atoll.feed.preview`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ definition: body.definition }),
    })
    const previewed = (await preview.json()) as { feed: { post: string }[]; warnings: { path: string }[] }
    // Their windows are longer than posts are kept, so that it is for the host to say how long that
    // is.
    expect(previewed.warnings.filter(({ path }) => path !== 'sources/0/windowHours')).toEqual([])
    // Nobody in particular follows nobody.
    const isForViewer = ['following', 'mutuals'].includes(name)
    expect(previewed.feed[0]?.post).toBe(isForViewer ? undefined : posts[0])
  })

  test.each(['latest', 'hot'])('%s explains why a post is in it', async (name) => {
    const { status, body } = await call('explain', { feed: feedUri(name), post: posts[0] as string })
    expect([status, body]).toMatchObject([200, { present: true, place: 1 }])
  })

  test('is unknown in the name of another account', async () => {
    const feed = feedUri('latest', 'did:plc:somebody')
    expect(await call('getAlgorithm', { feed })).toMatchObject({
      status: 400,
      body: { error: 'UnknownFeed' },
    })
  })
})

describe('beside its methods', () => {
  test('the service has a DID document, a health check and a front page', async () => {
    const get = (path: string) => fetch(`${feedgen.url}${path}`)
    expect(await (await get('/.well-known/did.json')).json()).toEqual({
      '@context': ['https://www.w3.org/ns/did/v1'],
      id: SERVICE_DID,
      service: [{ id: '#bsky_fg', type: 'BskyFeedGenerator', serviceEndpoint: 'https://feeds.test' }],
    })
    expect(await (await get('/xrpc/_health')).json()).toEqual({
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    })
    const page = await (await get('/')).text()
    expect(page).toContain(SERVICE_DID)
    expect(page).toContain(feedUri('mutuals'))
    expect((await get('/nothing')).status).toBe(404)
    expect((await get('/xrpc/app.bsky.feed.getTimeline')).status).toBe(501)
  })

  test('its DID is resolved as others do it', async () => {
    const port = await freePort()
    const did = `did:web:localhost%3A${port}`
    const origin = `http://localhost:${port}`
    await using local = await startFeedgen({
      endpoints: [relay.url],
      plcUrl: directory.url,
      port,
      listenHost: 'localhost',
      origin,
      serviceDid: did,
    })
    expect(local.url).toContain(`:${port}`)
    const document = await new IdResolver({ plcUrl: directory.url, fetch: globalThis.fetch }).did.resolve(did)
    expect(document?.service).toEqual([
      { id: '#bsky_fg', type: 'BskyFeedGenerator', serviceEndpoint: origin },
    ])
  })

  test('a DID of another host or method has no document here', async () => {
    await using other = await startFeedgen({
      endpoints: [relay.url],
      plcUrl: directory.url,
      serviceDid: 'did:plc:other',
    })
    expect((await fetch(`${other.url}/.well-known/did.json`)).status).toBe(404)
  })
})
