/**
 * Requests that other services answer: what reaches them and what comes back, beside `@atproto/pds`
 * with the same services.
 */
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type AppViewStandIn, type StandInAnswer, startAppView } from '../../support/app-view.ts'
import { type Ask, ask, type Side, type Sides, startSides } from '../../support/sides.ts'

let sides: Sides
let ours: Side
const agree: Sides['agree'] = (asked) => sides.agree(asked)
const agreeOnSent: Sides['agreeOnSent'] = (asked) => sides.agreeOnSent(asked)
const answerWith: Sides['answerWith'] = (nsid, answer) => sides.answerWith(nsid, answer)

beforeAll(async () => {
  sides = await startSides()
  ours = sides.ours
})
afterAll(() => sides?.[Symbol.asyncDispose]())
beforeEach(() => sides.reset())

const TRENDS = '/xrpc/app.bsky.unspecced.getTrends?limit=5'
const TRENDS_ID = 'app.bsky.unspecced.getTrends'
const MUTE = '/xrpc/app.bsky.graph.muteActor'
const JSON_BODY = { headers: { 'content-type': 'application/json' }, body: '{"actor":"did:plc:zzz"}' }

const noisyHeaders = {
  'accept-language': 'de, en;q=0.5',
  'atproto-accept-labelers': 'did:plc:labeler;redact',
  'x-bsky-topics': 'cats',
  'x-atproto-thing': 'thing',
  'x-secret': 'secret',
  'x-forwarded-for': '1.2.3.4',
  cookie: 'a=b',
}

describe('a request for a method that is not served here', () => {
  test('goes to the AppView with a token of the caller, and its answer comes back', async () => {
    answerWith(TRENDS_ID, () => ({
      headers: {
        'content-language': 'de',
        'atproto-repo-rev': '3jzfcijpj2z2a',
        'atproto-content-labelers': 'did:plc:labeler',
        'retry-after': '7',
        'cache-control': 'public',
        'x-secret': 'secret',
        'set-cookie': 'c=d',
      },
      body: { trends: [] },
    }))
    const { status, headers, body, reached } = await agree({ path: TRENDS, headers: noisyHeaders })
    expect({ status, body }).toEqual({ status: 200, body: '{"trends":[]}' })
    expect(headers).toMatchObject({ 'atproto-repo-rev': '3jzfcijpj2z2a', 'content-language': 'de' })
    expect(headers).not.toHaveProperty('x-secret')
    expect(reached).toHaveLength(1)
    expect(JSON.parse(reached[0] as string)).toEqual({
      method: 'GET',
      path: TRENDS,
      body: '',
      headers: {
        'accept-language': 'de, en;q=0.5',
        'accept-encoding': 'identity',
        'atproto-accept-labelers': 'did:plc:labeler;redact',
        'x-bsky-topics': 'cats',
        'x-atproto-thing': 'thing',
      },
      token: { iss: 'DID', aud: 'SERVICES', lxm: TRENDS_ID, seconds: 60 },
    })
  })

  test('brings its body along, as it is', async () => {
    const { reached } = await agree({ method: 'POST', path: MUTE, ...JSON_BODY })
    expect(reached[0]).toContain('did:plc:zzz')
    const body = gzipSync(JSON_BODY.body)
    const headers = { ...JSON_BODY.headers, 'content-encoding': 'gzip' }
    await agree({ method: 'POST', path: MUTE, headers, body })
    expect(ours.services.received[0]?.body.equals(body)).toBe(true)
    expect(ours.services.received[0]?.headers).toMatchObject({
      'content-encoding': 'gzip',
      'content-length': String(body.length),
    })
  })

  test('may be a HEAD, and nothing but GET, HEAD and POST', async () => {
    expect(await agree({ method: 'HEAD', path: '/xrpc/com.example.thing' })).toMatchObject({ status: 200 })
    expect((await agree({ method: 'PUT', path: '/xrpc/com.example.thing' })).reached).toEqual([])
    expect(await agree({ path: '/xrpc/com.example/more' })).toMatchObject({ status: 400, reached: [] })
  })

  test('gets an answer that stays compressed', async () => {
    const zipped = gzipSync('{"trends":[1]}')
    answerWith(TRENDS_ID, () => (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(zipped)
    })
    const { headers, body } = await agree({ path: TRENDS, headers: { 'accept-encoding': 'gzip, br' } })
    expect(headers).toMatchObject({ 'content-encoding': 'gzip' })
    expect(body).toBe(zipped.toString('base64'))
  })

  test('asks for credentials', async () => {
    expect(await agree({ path: TRENDS, token: null })).toMatchObject({ status: 401, reached: [] })
    const asked = { path: TRENDS, token: null }
    expect(await agree({ ...asked, headers: { authorization: 'Bearer nonsense' } })).toMatchObject({
      status: 400,
      reached: [],
    })
  })

  test('goes to the service that its header names', async () => {
    for (const service of ['bsky_appview', 'atproto_labeler', 'other']) {
      const { reached } = await agree(({ services }) => ({
        path: TRENDS,
        headers: { 'atproto-proxy': `${services.did}#${service}` },
      }))
      expect(reached[0]).toContain('"aud":"SERVICES"')
    }
  })

  test.each(['#bsky_appview', 'DID', 'DID#', 'DID#a#b', 'DID##', 'DID#a b', 'DID#nothing'])(
    'is refused when its header is %s',
    async (header) => {
      const { status, reached } = await agree(({ services }) => ({
        path: TRENDS,
        headers: { 'atproto-proxy': header.replace('DID', services.did) },
      }))
      expect({ status, reached }).toEqual({ status: 400, reached: [] })
    },
  )

  test('goes to the moderation service when it is one of its methods', async () => {
    const { reached } = await agree({ path: '/xrpc/tools.ozone.moderation.queryStatuses' })
    expect(reached).toHaveLength(1)
  })

  test('goes to the moderation service of its namespace, also for methods unknown to @atproto/pds', async () => {
    const { destinations } = sides.pds.services
    const { did } = ours.services
    expect(await destinations.find('tools.ozone.example.queryNovelties', undefined)).toMatchObject({
      did,
      serviceId: 'atproto_labeler',
    })
    expect(await destinations.find(TRENDS_ID, undefined)).toMatchObject({ did, serviceId: 'bsky_appview' })
  })

  test('is passed on with the wrong verb too', async () => {
    expect(await agree({ method: 'POST', path: TRENDS, ...JSON_BODY })).toMatchObject({ status: 200 })
  })

  test('is refused when its service cannot be resolved, where @atproto/pds fails', async () => {
    for (const service of ['did:web:localhost%3A1#a', 'did:key:zzz#a', 'nothing#a']) {
      const headers = { 'atproto-proxy': service }
      expect(await ask(ours, { path: TRENDS, headers }), service).toMatchObject({
        status: 400,
        body: '{"error":"InvalidRequest","message":"could not resolve proxy did"}',
        reached: [],
      })
    }
  })

  test('does not reach methods that are not for other services', async () => {
    const path = '/xrpc/com.atproto.server.getsession'
    expect(await agree({ method: 'POST', path, ...JSON_BODY })).toMatchObject({ status: 400, reached: [] })
  })

  test('reaches messages with a password that may', async () => {
    const path = '/xrpc/chat.bsky.convo.listConvos'
    expect(await agree({ path, token: 'plain' })).toMatchObject({ status: 400, reached: [] })
    expect(await agree({ path, token: 'privileged' })).toMatchObject({ status: 200 })
    expect(await agree({ path })).toMatchObject({ status: 200 })
    expect(await agree({ path: TRENDS, token: 'plain' })).toMatchObject({ status: 200 })
  })
})

const failures: [name: string, answer: StandInAnswer][] = [
  ['a request error', { status: 400, body: { error: 'BadThing', message: 'it is bad' } }],
  ['an error without words', { status: 404, body: {} }],
  ['an internal error', { status: 500, body: { error: 'Oh', message: 'secret' } }],
  ['an unavailable service', { status: 503, body: { error: 'Oh', message: 'later' } }],
  [
    'a limit',
    { status: 429, headers: { 'retry-after': '9' }, body: { error: 'RateLimitExceeded', message: 'slower' } },
  ],
  [
    'a page of HTML',
    (_, response) => response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>no</h1>'),
  ],
  ['broken JSON', (_, response) => response.writeHead(400, { 'content-type': 'application/json' }).end('{')],
  [
    'a compressed error',
    (_, response) =>
      response
        .writeHead(400, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
        .end(gzipSync('{"error":"Zip","message":"zipped"}')),
  ],
  ['no answer', (_, response) => response.destroy()],
]

describe.each(failures)('%s of a service', (_, answer) => {
  test.each([
    ['passed on', { path: TRENDS }, TRENDS_ID],
    ['of a view', { path: '/xrpc/app.bsky.feed.getTimeline' }, 'app.bsky.feed.getTimeline'],
    [
      'of a record',
      { path: '/xrpc/com.atproto.repo.getRecord?repo=did:plc:z&collection=a.b.c&rkey=a', token: null },
      'com.atproto.repo.getRecord',
    ],
  ] satisfies [string, Ask, string][])('is told to the caller, %s', async (_, asked, nsid) => {
    answerWith(nsid, () => answer)
    const { status } = await agree(asked)
    expect(status).toBeGreaterThanOrEqual(400)
  })
})

describe('a record of another host', () => {
  const path = '/xrpc/com.atproto.repo.getRecord?repo=did:plc:somebody&collection=a.b.c&rkey=x'

  test("is asked of the AppView, in nobody's name", async () => {
    answerWith('com.atproto.repo.getRecord', () => ({
      body: { uri: 'at://did:plc:somebody/a.b.c/x', value: {} },
    }))
    const { body, reached } = await agree({ path, token: null })
    expect(JSON.parse(body)).toMatchObject({ uri: 'at://did:plc:somebody/a.b.c/x' })
    expect(JSON.parse(reached[0] as string)).not.toHaveProperty('token')
    await agree({ path })
  })

  test('is sent to no host that a stranger names, where @atproto/pds sends it', async () => {
    const named = { path, token: null, headers: { 'atproto-proxy': 'did:web:elsewhere.example#other' } }
    const before = ours.services.received.length
    expect(await ask(ours, named)).toMatchObject({ status: 200 })
    expect(ours.services.received).toHaveLength(before + 1)
  })

  test('is not asked for when it is one of ours that is missing', async () => {
    const asked = ({ user }: Side) => ({ path: path.replace('did:plc:somebody', user.did) })
    expect(await agree(asked)).toMatchObject({ status: 400, reached: [] })
  })
})

describe('a handle', () => {
  const path = '/xrpc/com.atproto.identity.resolveHandle?handle='
  const nsid = 'com.atproto.identity.resolveHandle'

  test('that is not of this host is resolved by the AppView', async () => {
    answerWith(nsid, () => ({ body: { did: 'did:plc:6fcm7ff3wkzrsnh3gjbncv2f' } }))
    const { body, reached } = await agreeOnSent({ path: `${path}Somebody.Example.Com`, token: null })
    expect(body).toBe('{"did":"did:plc:6fcm7ff3wkzrsnh3gjbncv2f"}')
    expect(reached[0]).toMatchObject({ path: `${path}somebody.example.com` })
  })

  test('that the AppView does not know resolves to nothing', async () => {
    answerWith(nsid, () => ({ status: 400, body: { error: 'InvalidRequest', message: 'no' } }))
    expect(await agreeOnSent({ path: `${path}somebody.example.com`, token: null })).toMatchObject({
      status: 400,
    })
    answerWith(nsid, () => ({ body: { did: 'nonsense' } }))
    expect(await ask(ours, { path: `${path}somebody.example.com` })).toMatchObject({ status: 400 })
  })

  test('of this host is not asked of anybody', async () => {
    expect(await agree(({ user }) => ({ path: path + user.handle }))).toMatchObject({
      status: 200,
      reached: [],
    })
    expect(await agree({ path: `${path}nobody.test` })).toMatchObject({ status: 400, reached: [] })
  })
})

/** What an error in broken JSON comes to is for each PDS to say. */
const sentFailures = failures.filter(([name]) => name !== 'broken JSON')

describe('a report', () => {
  const report = {
    reasonType: 'com.atproto.moderation.defs#reasonSpam',
    reason: 'it is spam',
    subject: { $type: 'com.atproto.admin.defs#repoRef', did: 'did:plc:6fcm7ff3wkzrsnh3gjbncv2f' },
  }
  const asked: Ask = {
    method: 'POST',
    path: '/xrpc/com.atproto.moderation.createReport',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(report),
  }
  const filed = {
    id: 1,
    ...report,
    reportedBy: 'did:plc:6fcm7ff3wkzrsnh3gjbncv2f',
    createdAt: '2024-01-01T00:00:00Z',
  }

  test('goes to the report service', async () => {
    answerWith('com.atproto.moderation.createReport', () => ({ body: filed }))
    const { body, reached } = await agreeOnSent(asked)
    expect(JSON.parse(body as string)).toEqual(filed)
    expect(reached[0]).toMatchObject({
      method: 'POST',
      body: report,
      token: { iss: 'DID', aud: 'SERVICES', lxm: 'com.atproto.moderation.createReport' },
    })
  })

  test('goes to the service that is named', async () => {
    answerWith('com.atproto.moderation.createReport', () => ({ body: filed }))
    await agreeOnSent(({ services }) => ({
      ...asked,
      headers: { ...asked.headers, 'atproto-proxy': `${services.did}#other` },
    }))
    expect(ours.services.received).toHaveLength(1)
  })

  test.each(sentFailures)('is answered with %s of the service', async (_, answer) => {
    answerWith('com.atproto.moderation.createReport', () => answer)
    const { status } = await agreeOnSent(asked)
    expect(status).toBeGreaterThanOrEqual(400)
  })

  test('goes out for an account that was taken down, too', async () => {
    answerWith('com.atproto.moderation.createReport', () => ({ body: filed }))
    const { accounts, sessions } = sides.pds.services
    const account = accounts.find(ours.user.did)!
    const { accessJwt } = await sessions.issue(account, 'com.atproto.takendown')
    const headers = { ...asked.headers, authorization: `Bearer ${accessJwt}` }
    expect((await ask(ours, { ...asked, token: null, headers })).status).toBe(200)
    expect((await ask(ours, { path: TRENDS, token: null, headers })).status, 'and nothing else').toBe(400)
  })

  test('that is answered with nothing is an error', async () => {
    answerWith('com.atproto.moderation.createReport', () => (_, response) => response.end())
    const { status } = await agreeOnSent(asked)
    expect(status).toBe(502)
  })

  test('has to be one', async () => {
    expect(await agreeOnSent({ ...asked, body: '{}' })).toMatchObject({ status: 400, reached: [] })
  })
})

describe.each(['registerPush', 'unregisterPush'])('%s', (method) => {
  const nsid = `app.bsky.notification.${method}`
  const input = { token: 'token', platform: 'ios', appId: 'app' }
  const asked = (serviceDid: (side: Side) => string) => (side: Side) => ({
    method: 'POST' as const,
    path: `/xrpc/${nsid}`,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...input, serviceDid: serviceDid(side) }),
  })
  let notifications: AppViewStandIn
  beforeAll(async () => {
    notifications = await startAppView()
  })
  afterAll(() => notifications?.[Symbol.asyncDispose]())

  test('goes to the AppView when it is that that is named', async () => {
    answerWith(nsid, () => (_, response) => response.end())
    const { status, body, reached } = await agreeOnSent(asked(({ services }) => services.did))
    expect({ status, body }).toEqual({ status: 200, body: '""' })
    expect(reached[0]).toMatchObject({
      body: { ...input, serviceDid: 'SERVICES' },
      token: { iss: 'DID', aud: 'SERVICES', lxm: nsid },
    })
  })

  test('goes to the notification service of another DID', async () => {
    notifications.answers.set(nsid, (_, response) => response.end())
    notifications.received.length = 0
    expect(await agreeOnSent(asked(() => notifications.did))).toMatchObject({ status: 200, reached: [] })
    expect(notifications.received.map(({ body, token }) => [JSON.parse(String(body)), token?.aud])).toEqual(
      Array(2).fill([{ ...input, serviceDid: notifications.did }, notifications.did]),
    )
  })

  test('goes nowhere when the DID has no such service', async () => {
    expect(await agreeOnSent(asked(({ user }) => user.did))).toMatchObject({ status: 400, reached: [] })
  })

  test.each(sentFailures)('is answered with %s of the service', async (_, answer) => {
    answerWith(nsid, () => answer)
    const { status } = await agreeOnSent(asked(({ services }) => services.did))
    expect(status).toBeGreaterThanOrEqual(400)
  })
})
