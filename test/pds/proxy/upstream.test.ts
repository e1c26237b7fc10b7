/**
 * What passes through a PDS on its way to other services: piece by piece, within limits, and never
 * to where it must not.
 */
import { once } from 'node:events'
import { request } from 'undici'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type AppViewStandIn, appViewEnv, startAppView } from '../../support/app-view.ts'
import { createUser, startPds } from '../../support/pds.ts'
import { type PlcDirectory, startPlc } from '../../support/plc.ts'

let plc: PlcDirectory
let services: AppViewStandIn
const METHOD = 'app.bsky.unspecced.getTrends'

beforeAll(async () => {
  plc = await startPlc()
  services = await startAppView()
})
afterAll(async () => {
  await services?.[Symbol.asyncDispose]()
  await plc?.[Symbol.asyncDispose]()
})
beforeEach(() => {
  services.received.length = 0
  services.answers.clear()
})

let count = 0

/** A PDS with the services, and an account's way of asking it. */
async function start(env: Record<string, string> = appViewEnv(services)) {
  const pds = await startPds({ plcUrl: plc.url, env })
  const user = await createUser(pds, `user${++count}`)
  const headers = { authorization: `Bearer ${user.agent.session?.accessJwt}` }
  return {
    pds,
    user,
    ask: (path = `/xrpc/${METHOD}`, options: Partial<Parameters<typeof request>[1]> = {}) =>
      request(pds.url + path, { ...options, headers: { ...headers, ...(options?.headers as object) } }),
    [Symbol.asyncDispose]: () => pds[Symbol.asyncDispose](),
  }
}

/** What a method answers with is up to the test, which gets hold of the answer. */
function hold(method = METHOD) {
  const held = Promise.withResolvers<import('node:http').ServerResponse>()
  services.answers.set(method, (_, response) => held.resolve(response))
  return held.promise
}

describe('what passes through', () => {
  let host: Awaited<ReturnType<typeof start>>
  beforeAll(async () => {
    host = await start()
  })
  afterAll(() => host?.[Symbol.asyncDispose]())

  test('comes back piece by piece', async () => {
    const held = hold()
    const asked = host.ask()
    const upstream = await held
    upstream.writeHead(200, { 'content-type': 'text/plain' })
    upstream.write('one')
    const { body } = await asked
    const pieces = body[Symbol.asyncIterator]()
    expect(String((await pieces.next()).value), 'before the answer has ended').toBe('one')
    upstream.end('two')
    expect(String((await pieces.next()).value)).toBe('two')
    expect((await pieces.next()).done).toBe(true)
  })

  test('goes out piece by piece, whatever its size', async () => {
    const bytes = 3 * 1024 * 1024
    const answer = await host.ask('/xrpc/com.example.upload', {
      method: 'POST',
      headers: { 'content-type': 'video/mp4' },
      body: Buffer.alloc(bytes, 7),
    })
    await answer.body.dump()
    expect(answer.statusCode).toBe(200)
    expect(services.received[0]?.body.length).toBe(bytes)
    expect(services.received[0]?.headers['content-type']).toBe('video/mp4')
  })

  test('is given up when nobody waits for it any more', async () => {
    for (const begun of [false, true]) {
      const held = hold()
      const leave = new AbortController()
      const asked = host.ask(undefined, { signal: leave.signal })
      const left = asked.then(({ body }) => body.dump({ limit: 10 ** 9 })).catch(() => 'left')
      const upstream = await held
      if (begun) {
        upstream.write('one')
        await asked
      }
      leave.abort()
      await once(upstream, 'close')
      await left
    }
  })

  test('does no harm when it breaks off while nobody reads', async () => {
    const held = hold()
    const asked = host.pds.services.upstream.request({
      origin: services.url,
      method: 'GET',
      path: `/xrpc/${METHOD}`,
      headers: {},
    })
    const upstream = await held
    upstream.write('one', () => upstream.destroy())
    const { body } = await asked
    // An error that no one listens to would end the process.
    await new Promise((resolve) => body.on('close', resolve))
  })

  test('breaks off when the service does', async () => {
    const held = hold()
    const asked = host.ask()
    const upstream = await held
    upstream.write('one', () => upstream.destroy())
    const { statusCode, body } = await asked
    expect(statusCode).toBe(200)
    await expect(body.text()).rejects.toThrow()
    expect((await host.ask('/xrpc/com.example.thing')).statusCode, 'and others go on').toBe(200)
  })
})

describe('a service', () => {
  test('may answer so much and no more', async () => {
    await using host = await start({ ...appViewEnv(services), PDS_PROXY_MAX_RESPONSE_SIZE: '1000' })
    services.answers.set(METHOD, (_, response) => response.end('x'.repeat(1_000)))
    expect((await (await host.ask()).body.text()).length).toBe(1_000)
    services.answers.set(METHOD, (_, response) => response.end('x'.repeat(1_001)))
    const outcome = host.ask().then(({ statusCode, body }) => body.text().then(() => statusCode))
    await expect(outcome).rejects.toThrow()
    // A view is read here, so what is too much is found before anything is answered.
    services.answers.set('app.bsky.feed.getTimeline', (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'atproto-repo-rev': '2222222222222' })
      response.end('x'.repeat(1_001))
    })
    await host.user.agent.post({ text: 'new' })
    const timeline = host.ask('/xrpc/app.bsky.feed.getTimeline')
    await expect(timeline.then(({ body }) => body.text())).rejects.toThrow()
  })

  test('may take so long and no longer', async () => {
    await using host = await start({
      ...appViewEnv(services),
      PDS_PROXY_HEADERS_TIMEOUT: '1',
      PDS_PROXY_BODY_TIMEOUT: '1',
    })
    const held = hold()
    const { statusCode, body } = await host.ask()
    expect({ statusCode, body: await body.json() }).toEqual({
      statusCode: 502,
      body: { error: 'UpstreamFailure', message: 'Upstream service unreachable' },
    })
    ;(await held).destroy()
  })

  test('is retried when there was no connection, if that is wanted', async () => {
    await using host = await start({ ...appViewEnv(services), PDS_PROXY_MAX_RETRIES: '2' })
    let times = 0
    services.answers.set(METHOD, (_, response) => {
      if (++times < 3) response.socket?.destroy()
      else response.end('"third"')
    })
    expect(await (await host.ask()).body.text()).toBe('"third"')
  })

  test('is never one of this network, but for development', async () => {
    await using host = await start({ ...appViewEnv(services), PDS_DISABLE_SSRF_PROTECTION: 'false' })
    const addresses = [
      services.url,
      services.url.replace('localhost', '127.0.0.1'),
      'https://localhost:1',
      'https://[::1]:1',
      'https://10.0.0.1',
    ]
    for (const url of addresses) {
      await using other = await start({
        ...appViewEnv(services),
        PDS_BSKY_APP_VIEW_URL: url,
        PDS_DISABLE_SSRF_PROTECTION: 'false',
      })
      expect((await other.ask()).statusCode, url).toBe(502)
    }
    const headers = { 'atproto-proxy': `${services.did}#other` }
    expect((await host.ask(undefined, { headers })).statusCode, 'nor is its document fetched').toBe(400)
    expect(services.received).toEqual([])
  })
})

describe('without an AppView', () => {
  let host: Awaited<ReturnType<typeof start>>
  beforeAll(async () => {
    host = await start({})
  })
  afterAll(() => host?.[Symbol.asyncDispose]())

  test.each([METHOD, 'app.bsky.feed.getTimeline', 'com.example.thing', 'tools.ozone.team.listMembers'])(
    '%s is served by nobody, unless the request says by whom',
    async (nsid) => {
      const { statusCode, body } = await host.ask(`/xrpc/${nsid}`)
      expect({ statusCode, body: await body.json() }).toEqual({
        statusCode: 400,
        body: { error: 'InvalidRequest', message: `No service configured for ${nsid}` },
      })
      const headers = { 'atproto-proxy': `${services.did}#bsky_appview` }
      const answer = await host.ask(`/xrpc/${nsid}`, { headers })
      expect(await answer.body.json()).toEqual({ asked: nsid })
    },
  )

  test('preferences are kept here', async () => {
    const preferences = [{ $type: 'app.bsky.actor.defs#adultContentPref', enabled: true }]
    const put = await host.ask('/xrpc/app.bsky.actor.putPreferences', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ preferences }),
    })
    expect(put.statusCode).toBe(200)
    const got = await host.ask('/xrpc/app.bsky.actor.getPreferences')
    expect(await got.body.json()).toEqual({ preferences })
  })

  test('handles are looked up where they live, and records of others are not found', async () => {
    const handle = await host.ask('/xrpc/com.atproto.identity.resolveHandle?handle=nobody.invalid')
    expect(handle.statusCode).toBe(400)
    const record = await host.ask('/xrpc/com.atproto.repo.getRecord?repo=did:plc:z&collection=a.b.c&rkey=a')
    expect(await record.body.json()).toMatchObject({ message: 'Could not locate record' })
  })
})
