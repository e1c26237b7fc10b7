/**
 * What an operator counts on: limits on how often things are asked, relays that hear of us,
 * certificates for handles, compressed answers.
 */

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { request } from 'undici'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { logger } from '#platform/log.ts'
import { Wakeup } from '#platform/wakeup.ts'
import { readConfig } from '../../pds/config.ts'
import { Crawlers } from '../../pds/firehose/crawlers.ts'
import { appViewEndpoints, endpoints } from '../../pds/xrpc/index.ts'
import { createUser, PASSWORD, pdsEnv, post, startPds, type TestUser } from '../support/pds.ts'
import { type PlcDirectory, startPlc } from '../support/plc.ts'
import { startReferencePds } from '../support/reference-pds.ts'
import { waitFor } from '../support/waiting.ts'

let plc: PlcDirectory
beforeAll(async () => {
  plc = await startPlc()
})
afterAll(() => plc?.[Symbol.asyncDispose]())

const BYPASS = { PDS_RATE_LIMIT_BYPASS_KEY: 'bypass-key', PDS_RATE_LIMIT_BYPASS_IPS: '9.9.9.9/32,8.8.8.8' }
const LIMITED = { PDS_RATE_LIMITS_ENABLED: 'true', ...BYPASS }

describe('requests', () => {
  let stack: AsyncDisposableStack
  let hosts: { url: string; user: TestUser }[]
  beforeAll(async () => {
    stack = new AsyncDisposableStack()
    const pds = stack.use(await startPds({ plcUrl: plc.url, env: LIMITED }))
    const reference = stack.use(await startReferencePds(plc.url, LIMITED))
    hosts = [
      { url: pds.url, user: await createUser(pds, 'ann') },
      { url: reference.url, user: await createUser(reference, 'bea') },
    ]
  })
  afterAll(() => stack?.disposeAsync())

  interface Ask {
    readonly path: string
    readonly from?: string
    readonly headers?: Record<string, string>
    readonly input?: (user: TestUser) => object
    readonly signedIn?: boolean
  }

  /** Asks a host as a client at an address, and gives what it says of its limits. */
  async function ask(
    { url, user }: (typeof hosts)[number],
    { path, from = '1.1.1.1', headers, input, signedIn }: Ask,
  ) {
    const {
      statusCode: status,
      headers: got,
      body,
    } = await request(url + path, {
      method: input === undefined ? 'GET' : 'POST',
      headers: {
        'x-forwarded-for': from,
        ...(signedIn && { authorization: `Bearer ${user.agent.session?.accessJwt}` }),
        ...(input && { 'content-type': 'application/json' }),
        ...headers,
      },
      body: input && JSON.stringify(input(user)),
    })
    const text = await body.text()
    const named = (name: string) => got[name]
    return {
      status,
      limit: named('ratelimit-limit'),
      remaining: named('ratelimit-remaining'),
      policy: named('ratelimit-policy'),
      exposed: named('access-control-expose-headers'),
      // Whether it is there: what it says depends on the second in which it was asked.
      resets: Math.abs(Number(named('ratelimit-reset')) - Date.now() / 1000) < 90_000,
      retries: Number(named('retry-after')) > 0,
      error: status < 400 ? undefined : JSON.parse(text),
    }
  }

  async function agree(asked: Ask) {
    const [our, their] = await Promise.all(hosts.map((host) => ask(host, asked)))
    expect(our).toEqual(their)
    return our as NonNullable<typeof our>
  }

  const DESCRIBE = '/xrpc/com.atproto.server.describeServer'

  test('say how many more there may be', async () => {
    expect(await agree({ path: DESCRIBE })).toEqual({
      status: 200,
      limit: '3000',
      remaining: '2999',
      policy: '3000;w=300',
      exposed: 'RateLimit-Limit, RateLimit-Reset, RateLimit-Remaining, RateLimit-Policy',
      resets: true,
      retries: false,
      error: undefined,
    })
    expect(await agree({ path: DESCRIBE })).toMatchObject({ remaining: '2998' })
    expect(await agree({ path: DESCRIBE, from: '2.2.2.2' })).toMatchObject({ remaining: '2999' })
    expect(await agree({ path: '/xrpc/com.example.unknown' })).toMatchObject({ remaining: '2997' })
  })

  test('that fetch a repository are counted by themselves', async () => {
    const from = '3.3.3.3'
    const download = async (host: (typeof hosts)[number]) =>
      ask(host, { path: `/xrpc/com.atproto.sync.getRepo?did=${host.user.did}`, from })
    const [our, their] = await Promise.all(hosts.map(download))
    expect(our).toEqual(their)
    expect(our).toMatchObject({ limit: '6000', remaining: '5999' })
    expect(await agree({ path: DESCRIBE, from })).toMatchObject({ remaining: '2999' })
  })

  test('with the key, and from addresses that are let through, are not counted', async () => {
    for (const asked of [
      { headers: { 'x-ratelimit-bypass': 'bypass-key' } },
      { from: '9.9.9.9' },
      { from: '8.8.8.8' },
    ]) {
      expect(await agree({ path: DESCRIBE, ...asked })).toMatchObject({ status: 200, limit: undefined })
    }
    const headers = { 'x-ratelimit-bypass': 'another-key' }
    expect(await agree({ path: DESCRIBE, from: '4.4.4.4', headers })).toMatchObject({ remaining: '2999' })
  })

  test('for pages count like all others, and those of a network together', async () => {
    const url = (hosts[0] as (typeof hosts)[number]).url
    const headers = { 'x-forwarded-for': '2001:db8::1' }
    await (await request(`${url}/robots.txt`, { headers })).body.dump()
    const here = hosts[0] as (typeof hosts)[number]
    expect(await ask(here, { path: DESCRIBE, from: '2001:db8::2' })).toMatchObject({ remaining: '2998' })
    expect(await ask(here, { path: DESCRIBE, from: '2001:db8:0:1::2' })).toMatchObject({ remaining: '2999' })
  })

  test('for repositories have a budget of their own', async () => {
    const here = hosts[0] as (typeof hosts)[number]
    const head = `/xrpc/com.atproto.sync.getLatestCommit?did=${here.user.did}`
    const from = '3.3.3.4'
    expect(await ask(here, { path: head, from })).toMatchObject({ limit: '6000', remaining: '5999' })
    expect(await ask(here, { path: DESCRIBE, from })).toMatchObject({ limit: '3000', remaining: '2999' })
  })

  test('to sign in with no name that anybody could have are refused', async () => {
    const here = hosts[0] as (typeof hosts)[number]
    const asked = {
      path: '/xrpc/com.atproto.server.createSession',
      input: () => ({ identifier: 'x'.repeat(2_049), password: 'x' }),
    }
    expect(await ask(here, asked)).toMatchObject({ status: 400, error: { error: 'InvalidRequest' } })
  })

  const login = (password: string, from: string): Ask => ({
    path: '/xrpc/com.atproto.server.createSession',
    from,
    input: ({ did }) => ({ identifier: did, password }),
  })

  test('to sign in are refused when there were too many of them', async () => {
    const from = '5.5.5.5'
    for (let n = 1; n <= 30; n++) {
      const [our, their] = await Promise.all(
        hosts.map((host) => ask(host, { ...login('x'.repeat(600), from) })),
      )
      expect(our).toEqual(their)
    }
    const refused = await agree(login(PASSWORD, from))
    expect(refused).toMatchObject({
      status: 429,
      remaining: '0',
      retries: true,
      error: { error: 'RateLimitExceeded' },
    })
    expect(refused.exposed).toContain('Retry-After')
    expect(await agree(login(PASSWORD, '6.6.6.6')), 'from elsewhere').toMatchObject({ status: 200 })
  })

  const write = (method: string, input: (user: TestUser) => object): Ask => ({
    path: `/xrpc/com.atproto.repo.${method}`,
    from: '7.7.7.7',
    signedIn: true,
    input: (user) => ({ repo: user.did, ...input(user) }),
  })
  const collection = 'app.bsky.feed.post'

  test('to write cost what they do', async () => {
    const record = post('text')
    const pointsLeft = async (asked: Ask) => {
      const { status, remaining, policy } = await agree(asked)
      expect({ status, policy }).toEqual({ status: 200, policy: expect.any(String) })
      return Number(remaining)
    }
    // The common limit has fewer left than an account has points, so it is the one that is told at
    // first.
    const spend = write('applyWrites', () => ({
      writes: Array.from({ length: 200 }, () => ({
        $type: 'com.atproto.repo.applyWrites#create',
        collection,
        value: record,
      })),
    }))
    for (let n = 0; n < 4; n++) await agree(spend)
    const before = await pointsLeft(
      write('createRecord', () => ({ collection, rkey: 'self', record, validate: false })),
    )
    expect(before).toBe(5_000 - 4 * 600 - 3)
    const put = write('putRecord', () => ({ collection, rkey: 'self', record: post('new'), validate: false }))
    expect(await pointsLeft(put)).toBe(before - 2)
    expect(await pointsLeft(write('deleteRecord', () => ({ collection, rkey: 'self' })))).toBe(before - 3)
    const mixed = write('applyWrites', () => ({
      writes: [
        { $type: 'com.atproto.repo.applyWrites#create', collection, rkey: 'a', value: record },
        { $type: 'com.atproto.repo.applyWrites#update', collection, rkey: 'a', value: record },
        { $type: 'com.atproto.repo.applyWrites#delete', collection, rkey: 'a' },
      ],
      validate: false,
    }))
    expect(await pointsLeft(mixed)).toBe(before - 9)
    for (let n = 0; n < 4; n++) await agree(spend)
    expect(await agree(spend)).toMatchObject({ status: 429, policy: '5000;w=3600' })
  })

  const { rateLimits } = readConfig({
    ...pdsEnv('http://localhost', '/data', 1),
    PDS_RATE_LIMITS_ENABLED: 'true',
  })
  const ours = Object.fromEntries(
    Object.entries({ ...endpoints, ...appViewEndpoints }).flatMap(([nsid, { rateLimit }]) =>
      rateLimit === undefined ? [] : [[nsid, rateLimit.map((limit) => limit(rateLimits!.points))]],
    ),
  )

  test.each(Object.keys(ours))('for %s are limited as theirs', (nsid) => {
    const limits = (ours[nsid] ?? []).map((limit) =>
      'name' in limit ? limit.name : `${limit.points} in ${limit.durationMs / 60_000} minutes`,
    )
    expect(limits).toEqual(OWN_LIMITS[nsid] ?? REFERENCE_LIMITS[nsid])
  })

  test('are limited for every method that @atproto/pds limits', () => {
    expect(Object.keys(ours).sort()).toEqual(Object.keys({ ...OWN_LIMITS, ...REFERENCE_LIMITS }).sort())
  })

  /** As `@atproto/pds` sets them. */
  const writes = ['repo-write-hour', 'repo-write-day']
  const mails = ['15 in 1440 minutes', '5 in 60 minutes']
  /**
   * A wish to be deleted is answered with a mail here, to an address that nobody may have
   * confirmed.
   */
  const OWN_LIMITS: Record<string, string[]> = {
    'com.atproto.server.deactivateAccount': mails,
  }

  const REFERENCE_LIMITS: Record<string, string[]> = {
    'com.atproto.identity.updateHandle': ['10 in 5 minutes', '50 in 1440 minutes'],
    'com.atproto.repo.applyWrites': writes,
    'com.atproto.repo.createRecord': writes,
    'com.atproto.repo.deleteRecord': writes,
    'com.atproto.repo.putRecord': writes,
    'com.atproto.repo.uploadBlob': ['1000 in 1440 minutes'],
    'com.atproto.server.createAccount': ['100 in 5 minutes'],
    // 300 in 1440 minutes and 30 in 5: together with what the pages count.
    'com.atproto.server.createSession': ['sign-ins'],
    'com.atproto.server.deleteAccount': ['50 in 5 minutes'],
    'com.atproto.server.requestAccountDelete': mails,
    'com.atproto.server.requestEmailConfirmation': mails,
    'com.atproto.server.requestEmailUpdate': mails,
    'com.atproto.server.requestPasswordReset': ['50 in 1440 minutes', '15 in 60 minutes'],
    'com.atproto.server.resetPassword': ['50 in 5 minutes'],
    'com.atproto.sync.getRepo': ['6000 in 5 minutes'],
  }

  test('to change a handle are counted for the account', async () => {
    const asked = {
      path: '/xrpc/com.atproto.identity.updateHandle',
      signedIn: true,
      input: () => ({ handle: 'x.test' }),
    }
    for (const remaining of ['9', '8'])
      expect(await agree({ ...asked, from: `1.0.0.${remaining}` })).toMatchObject({ remaining })
  })

  test('are not limited where nobody asked for it', async () => {
    await using pds = await startPds({ plcUrl: plc.url })
    const user = await createUser(pds, 'free')
    expect(await ask({ url: pds.url, user }, { path: DESCRIBE })).toMatchObject({
      status: 200,
      limit: undefined,
    })
  })
})

test('repositories are sent to so many at once, of one network and in all', async () => {
  await using pds = await startPds({
    plcUrl: plc.url,
    env: { PDS_EXPORTS_MAX: '2', PDS_EXPORTS_NETWORK_MAX: '1' },
  })
  const { did } = await createUser(pds, 'sent')
  const begun: Begun[] = []
  // Held at its first page, as one is that is not read.
  const held = Promise.withResolvers<void>()
  const { exports } = pds.services
  const car = exports.car.bind(exports)
  vi.spyOn(exports, 'car').mockImplementation(async function* (...asked) {
    yield Buffer.alloc(1)
    await held.promise
    yield* car(...asked)
  })
  interface Begun {
    readonly status: number
    readonly end: () => Promise<unknown>
  }
  const download = async (from: string): Promise<number> => {
    const { statusCode, body } = await request(`${pds.url}/xrpc/com.atproto.sync.getRepo?did=${did}`, {
      headers: { 'x-forwarded-for': from },
    })
    begun.push({ status: statusCode, end: () => body.dump() })
    return statusCode
  }
  expect(await download('203.0.113.1')).toBe(200)
  expect(await download('203.0.113.1')).toBe(429)
  expect(await download('203.0.113.2')).toBe(200)
  expect(await download('203.0.113.3')).toBe(429)
  held.resolve()
  await Promise.all(begun.map(({ end }) => end()))
  await waitFor(async () => expect(await download('203.0.113.1')).toBe(200))
})

describe('relays', () => {
  test('are asked to crawl when there is something new', async () => {
    const heard = Promise.withResolvers<{ path: string | undefined; body: unknown }>()
    const relay = createServer(async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      heard.resolve({ path: request.url, body: JSON.parse(Buffer.concat(chunks).toString()) })
      response.end()
    })
    await once(relay.listen(0), 'listening')
    const url = `http://localhost:${(relay.address() as AddressInfo).port}`
    await using pds = await startPds({ plcUrl: plc.url, env: { PDS_CRAWLERS: `http://localhost:1,${url}/` } })
    await createUser(pds, 'crawled')
    expect(await heard.promise).toEqual({
      path: '/xrpc/com.atproto.sync.requestCrawl',
      body: { hostname: 'localhost' },
    })
    relay.close()
  })

  test('are left in peace for a while then, and told of what came meanwhile', async () => {
    const news = new Wakeup()
    let asked = 0
    const pauses: (() => void)[] = []
    let paused = Promise.withResolvers<void>()
    const crawlers = new Crawlers(
      { news: () => news.next() },
      {
        urls: ['https://one.example', 'https://two.example'],
        hostname: 'pds.example',
        fetch: async () => {
          asked++
          if (asked % 2 === 0) throw new Error('one of them is away')
          return new Response(null, { status: 500 })
        },
        log: logger('crawlers'),
        pause: () =>
          new Promise<void>((resolve) => {
            pauses.push(resolve)
            paused.resolve()
          }),
      },
    )
    expect(asked).toBe(0)
    news.wake()
    await paused.promise
    for (let n = 0; n < 3; n++) news.wake()
    expect(asked).toBe(2)
    paused = Promise.withResolvers()
    pauses.shift()?.()
    await paused.promise
    expect(asked, 'once for all that came').toBe(4)
    pauses.shift()?.()
    await crawlers[Symbol.asyncDispose]()
    expect(asked, 'and not without news').toBe(4)
  })
})

describe('a host', () => {
  test('tells a web server in front for which names it may get certificates', async () => {
    await using pds = await startPds({ plcUrl: plc.url })
    await createUser(pds, 'named')
    const check = async (query: string) => {
      const response = await fetch(`${pds.url}/tls-check${query}`)
      return [response.status, await response.json()]
    }
    expect(await check('?domain=localhost')).toEqual([200, { success: true }])
    for (const name of ['named.test', 'Named.TEST', 'LocalHost'])
      expect(await check(`?domain=${name}`)).toEqual([200, { success: true }])
    expect(await check('?domain=nobody.test')).toEqual([
      404,
      { error: 'NotFound', message: 'handle not found for this domain' },
    ])
    for (const query of ['', '?domain=', '?domain=a&domain=b']) {
      expect(await check(query)).toEqual([
        400,
        { error: 'InvalidRequest', message: 'bad or missing domain query param' },
      ])
    }
    expect(await check('?domain=example.com')).toEqual([
      400,
      { error: 'InvalidRequest', message: 'handles are not provided on this domain' },
    ])
  })

  test('compresses what is worth it, repositories too, for who asks', async () => {
    await using pds = await startPds({ plcUrl: plc.url })
    const { agent, did } = await createUser(pds, 'long')
    for (let n = 0; n < 10; n++) await agent.post({ text: 'long '.repeat(50) })
    const ask = async (path: string, encoding: string | undefined) => {
      const headers = encoding === undefined ? {} : { 'accept-encoding': encoding }
      const { headers: got, body } = await request(pds.url + path, { headers })
      return {
        encoding: got['content-encoding'],
        vary: got.vary,
        bytes: Buffer.from(await body.arrayBuffer()),
      }
    }
    for (const path of [
      `/xrpc/com.atproto.repo.listRecords?repo=${did}&collection=app.bsky.feed.post`,
      `/xrpc/com.atproto.sync.getRepo?did=${did}`,
    ]) {
      const plain = await ask(path, undefined)
      const zipped = await ask(path, 'gzip')
      expect([plain.encoding, zipped.encoding, (await ask(path, 'br')).encoding]).toEqual([
        undefined,
        'gzip',
        'br',
      ])
      expect(zipped.bytes.length).toBeLessThan(plain.bytes.length)
      expect(gunzipSync(zipped.bytes).equals(plain.bytes)).toBe(true)
      expect(plain.vary).toBe(zipped.vary)
    }
    const small = await ask('/xrpc/com.atproto.server.describeServer', 'gzip')
    expect(small.encoding).toBeUndefined()
  })
})
