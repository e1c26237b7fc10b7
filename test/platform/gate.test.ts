/** What is too much is refused before anything else looks at it, whatever it asks for. */
import { connect } from 'node:net'
import { request } from 'undici'
import { afterEach, expect, test, vi } from 'vitest'
import { trustOf } from '#platform/callers.ts'
import { Gate, type GateOptions } from '#platform/gate.ts'
import { ListeningHttp } from '#platform/http.ts'
import { Limiter } from '#platform/limiter.ts'
import { logger } from '#platform/log.ts'
import { neighbours } from '#platform/trusted-proxies.ts'

const running: AsyncDisposable[] = []
afterEach(async () => {
  for (const server of running.splice(0)) await server[Symbol.asyncDispose]()
})

const trust = trustOf(neighbours)

async function start(options: Partial<GateOptions> = {}) {
  const limiter = new Limiter({ points: 2, durationMs: 60_000 })
  const gate = new Gate({ trust, budget: () => limiter, ...options })
  let handled = 0
  const http = await ListeningHttp.start(
    (request, response) => {
      if (!gate.admits(request, response)) return
      handled++
      response.end('ok')
    },
    {
      port: 0,
      host: '127.0.0.1',
      upgrade: (request, socket) => {
        if (gate.admitsUpgrade(request, socket)) socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n')
      },
    },
  )
  running.push(http)
  const url = `http://127.0.0.1:${http.address.port}`
  return {
    port: http.address.port,
    handled: () => handled,
    async ask(path: string, from: string | undefined, method: 'GET' | 'POST' | 'OPTIONS' = 'GET') {
      const { statusCode, headers, body } = await request(url + path, {
        method,
        headers: from === undefined ? {} : { 'x-forwarded-for': from },
      })
      return { status: statusCode, headers, text: await body.text() }
    },
  }
}

test('the gate answers 429 in the form of XRPC, OAuth or a page, and lets preflights through', async () => {
  const { ask, handled } = await start()
  const from = '2001:db8::1'
  for (let n = 0; n < 2; n++) expect(await ask('/', from)).toMatchObject({ status: 200 })
  const neighbour = '2001:db8::2'
  expect(await ask('/account', neighbour)).toMatchObject({
    status: 429,
    headers: { 'retry-after': '60', 'content-type': 'text/plain; charset=utf-8' },
  })
  const xrpc = await ask('/xrpc/com.example.method', neighbour)
  expect(xrpc).toMatchObject({
    status: 429,
    headers: {
      'retry-after': '60',
      'ratelimit-limit': '2',
      'ratelimit-remaining': '0',
      'access-control-allow-origin': '*',
    },
  })
  expect(JSON.parse(xrpc.text)).toEqual({ error: 'RateLimitExceeded', message: 'Rate Limit Exceeded' })
  const oauth = await ask('/oauth/par', neighbour, 'POST')
  expect([oauth.status, JSON.parse(oauth.text).error]).toEqual([429, 'rate_limit_exceeded'])
  expect(await ask('/', neighbour, 'OPTIONS'), 'a preflight').toMatchObject({ status: 200 })
  expect(await ask('/', '2001:db8:0:1::1'), 'another network').toMatchObject({ status: 200 })
  expect(handled()).toBe(4)
})

test('the gate refuses upgrades too', async () => {
  const { port } = await start()
  const upgrade = () =>
    new Promise<string>((resolve) => {
      const socket = connect(port, '127.0.0.1').setEncoding('latin1')
      socket.once('data', (text) => {
        resolve(String(text).split('\r\n', 1)[0]!)
        socket.destroy()
      })
      socket.write(
        'GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.9\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
      )
    })
  expect([await upgrade(), await upgrade(), await upgrade()]).toEqual([
    'HTTP/1.1 101 Switching Protocols',
    'HTTP/1.1 101 Switching Protocols',
    'HTTP/1.1 429 Too Many Requests',
  ])
})

test('the gate exempts trusted addresses, and callers behind a proxy without x-forwarded-for', async () => {
  const { ask, handled } = await start({ isExempt: (_, { address }) => address === '203.0.113.1' })
  for (let n = 0; n < 5; n++) await Promise.all([ask('/', '203.0.113.1'), ask('/', undefined)])
  expect(handled()).toBe(10)
})

test('the gate warns once that the proxy sends no x-forwarded-for', () => {
  const warn = vi.spyOn(logger('http'), 'warn')
  const limiter = new Limiter({ points: 2, durationMs: 60_000 })
  const ask = (gate: Gate, forwarded?: string) =>
    gate.admits(
      {
        method: 'GET',
        url: '/',
        socket: { remoteAddress: '172.17.0.1' },
        headers: { 'x-forwarded-for': forwarded },
      } as never,
      {} as never,
    )
  const masked = new Gate({ trust, budget: () => limiter })
  for (let n = 0; n < 3_000; n++) ask(masked)
  expect(warn).toHaveBeenCalledOnce()
  const seen = new Gate({ trust, budget: () => limiter })
  ask(seen, '203.0.113.9')
  for (let n = 0; n < 3_000; n++) ask(seen)
  expect(warn).toHaveBeenCalledOnce()
})
