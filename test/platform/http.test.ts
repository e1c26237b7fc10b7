/** Sockets and requests that go wrong, on the server that both services listen with. */
import { once } from 'node:events'
import type { RequestListener } from 'node:http'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { afterEach, expect, onTestFinished, test, vi } from 'vitest'
import { markCaller } from '#platform/callers.ts'
import { type HttpOptions, ListeningHttp, refuseUpgrade, StallGuard } from '#platform/http.ts'
import { logger } from '#platform/log.ts'
import { markAccount } from '#platform/request-log.ts'

const running: AsyncDisposable[] = []
afterEach(async () => {
  for (const server of running.splice(0)) await server[Symbol.asyncDispose]()
})

async function start(listener: RequestListener, options: Partial<HttpOptions> = {}): Promise<number> {
  const http = await ListeningHttp.start(listener, { port: 0, host: '127.0.0.1', ...options })
  running.push(http)
  return http.address.port
}

const ok: RequestListener = (_, response) => void response.end('ok')
const UPGRADE = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'

/** Sends bytes over a connection of their own; what comes back until its end. */
async function answerTo(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1')
  socket.write(bytes)
  let answer = ''
  socket.on('data', (text) => {
    answer += text
  })
  await once(socket, 'close')
  return answer
}

test('the HTTP server survives a reset of a socket that is being upgraded', async () => {
  const upgraded = Promise.withResolvers<Duplex>()
  const port = await start(ok, { upgrade: (_, socket) => upgraded.resolve(socket) })
  const client = connect(port, '127.0.0.1').on('error', () => undefined)
  client.write(UPGRADE)
  const socket = await upgraded.promise
  const closed = new Promise((resolve) => socket.once('close', resolve))
  // As the operating system says that the peer is gone.
  socket.emit('error', Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))
  await closed
  expect(await answerTo(port, 'GET / HTTP/1.0\r\n\r\n')).toContain('200 OK')
})

test('the HTTP server refuses an upgrade and closes, whether or not the peer closes its side', async () => {
  const refused = Promise.withResolvers<Duplex>()
  const port = await start(ok, {
    upgrade: (_, socket) => {
      refuseUpgrade(socket, 404)
      refused.resolve(socket)
    },
  })
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  client.write(UPGRADE)
  const socket = await refused.promise
  await once(socket, 'close')
  client.destroy()
  expect(await answerTo(port, UPGRADE)).toBe(
    'HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
  )
})

test('the HTTP server answers 500 when a listener throws, or ends a response that has begun', async () => {
  const port = await start((request, response) => {
    if (request.url === '/begun') response.writeHead(200).write('begun')
    throw new Error('as a listener might')
  })
  expect(await answerTo(port, 'GET / HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 500 /)
  const cutOff = await answerTo(port, 'GET /begun HTTP/1.1\r\nHost: a\r\n\r\n')
  expect(cutOff).not.toMatch(/\r\n0\r\n\r\n$/)
})

test('the request log has one line per request, without its query', async () => {
  const log = logger('http')
  log.level = 'info'
  const written = Promise.withResolvers<unknown>()
  const lines = vi.spyOn(log, 'info').mockImplementation((fields) => {
    if (lines.mock.calls.length === 3) written.resolve(fields)
  })
  onTestFinished(() => {
    lines.mockRestore()
    log.level = 'silent'
  })
  const port = await start((request, response) => {
    markCaller(request, () => false)
    markAccount(request, request.url === '/a' ? 'did:plc:a' : undefined)
    if (request.url === '/cut') response.destroy()
    else response.writeHead(request.url === '/a' ? 200 : 404).end()
  })
  await answerTo(port, 'GET /a HTTP/1.0\r\n\r\n')
  await answerTo(port, 'POST /b?token=secret HTTP/1.0\r\n\r\n')
  await answerTo(port, 'GET /cut HTTP/1.0\r\n\r\n')
  await written.promise
  const about = { network: '127.0.0.1', ms: expect.any(Number) }
  expect(lines.mock.calls).toEqual([
    [{ ...about, method: 'GET', path: '/a', status: 200, account: 'did:plc:a' }, 'request'],
    [{ ...about, method: 'POST', path: '/b', status: 404, account: undefined }, 'request'],
    [{ ...about, method: 'GET', path: '/cut', account: undefined, isCutOff: true }, 'request'],
  ])
})

test('the HTTP server closes an upgrade whose listener throws', async () => {
  const port = await start(ok, { upgrade: () => expect.fail('as a listener might') })
  expect(await answerTo(port, UPGRADE)).toBe('')
})

test('the HTTP server ends a response that is not read', async () => {
  const ended = Promise.withResolvers<void>()
  const port = await start(
    (_, response) => {
      response.on('close', ended.resolve)
      // More than the kernel takes for a connection whose other end reads nothing.
      response.write(Buffer.alloc(64 * 1024 * 1024))
    },
    { stallSecondsMax: 0.1 },
  )
  const client = connect(port, '127.0.0.1').on('error', () => undefined)
  client.pause().write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await ended.promise
  client.destroy()
})

test('the HTTP server ends no response that is read slowly or still being made', () => {
  const guard = new StallGuard(60_000)
  const socketOf = (sent: { bytesWritten: number; writableLength: number; writeQueueSize?: number }) => {
    const socket = {
      ...sent,
      _handle: { writeQueueSize: sent.writeQueueSize },
      destroyed: false,
      destroy: () => {
        socket.destroyed = true
      },
      once: () => socket,
    }
    guard.watch(socket as never)
    return socket
  }
  const waiting = socketOf({ bytesWritten: 10, writableLength: 0 })
  const byWrites = socketOf({ bytesWritten: 1_000, writableLength: 900 })
  const withinWrite = socketOf({ bytesWritten: 1_000, writableLength: 900, writeQueueSize: 900 })
  const grows = socketOf({ bytesWritten: 1_000, writableLength: 900, writeQueueSize: 900 })
  for (let minute = 0; minute < 3; minute++) {
    guard.look(minute * 60_000)
    byWrites.writableLength--
    withinWrite._handle.writeQueueSize!--
    // What the server adds is nothing that the peer took.
    grows.bytesWritten += 100
    grows.writableLength += 100
  }
  expect([waiting, byWrites, withinWrite, grows].map(({ destroyed }) => destroyed)).toEqual([
    false,
    false,
    false,
    true,
  ])
})
