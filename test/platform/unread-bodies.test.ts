/**
 * Requests that are answered before they are whole: the response arrives, and the connection is not
 * left in doubt.
 */
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { pipeline } from 'node:stream'
import { finished } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { afterEach, expect, test } from 'vitest'
import { ListeningHttp } from '#platform/http.ts'
import type { DropBounds } from '#platform/unread-bodies.ts'
import { chunked, RawConnection } from '../support/raw-http.ts'

const MIB = 1024 * 1024
const BODY = new Uint8Array(8 * MIB)

const running: AsyncDisposable[] = []
afterEach(async () => {
  for (const server of running.splice(0)) await server[Symbol.asyncDispose]()
})

type Answer = (request: IncomingMessage, response: ServerResponse) => void

const refuse = (response: ServerResponse) => response.writeHead(413).end('too large')

/** What applications and libraries do to a body that they refuse. */
const refusals: Record<string, Answer> = {
  'looks at nothing': (_, response) => refuse(response),
  'writes no head': (_, response) => {
    response.statusCode = 413
    response.end('too large')
  },
  'sends its body in chunks': (_, response) => {
    response.writeHead(413).write('too ')
    response.end('large')
  },
  'stops reading': (request, response) => {
    request.once('data', () => {
      request.pause()
      refuse(response)
    })
  },
  'breaks its pipeline off': (request, response) => {
    const unpacked = pipeline([request, createGunzip()], () => undefined)
    finished(unpacked).catch(() => refuse(response))
  },
}

async function start(answer: Answer, drop?: Partial<DropBounds>) {
  const sockets: Socket[] = []
  const http = await ListeningHttp.start(
    (request, response) => {
      sockets.push(request.socket)
      if (request.method === 'POST') answer(request, response)
      else response.end('ok')
    },
    { port: 0, host: '127.0.0.1', drop },
  )
  running.push(http)
  return { port: http.address.port, sockets }
}

const headOf = (more: string) => `POST / HTTP/1.1\r\nHost: a\r\n${more}\r\n\r\n`
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

const framings: Record<string, () => (string | Uint8Array)[]> = {
  'with a length': () => [headOf(`Content-Length: ${BODY.length}`), BODY],
  'in chunks': () => [headOf('Transfer-Encoding: chunked'), ...chunked(BODY)],
  'with a length, over a connection that closes': () => [
    headOf(`Connection: close\r\nContent-Length: ${BODY.length}`),
    BODY,
  ],
}

for (const [framing, request] of Object.entries(framings)) {
  test.each(Object.entries(refusals))(
    `a client that reads last hears why a body ${framing} was refused by a handler that %s`,
    async (_, answer) => {
      const { port } = await start(answer)
      using client = await RawConnection.open(port)
      await client.write(...request())
      const { status, head } = await client.read()
      expect(status).toBe(413)
      expect(head).toContain('connection: close')
    },
  )
}

test('a connection whose request was read whole is kept alive', async () => {
  const { port } = await start((request, response) => request.resume().once('end', () => refuse(response)))
  using client = await RawConnection.open(port)
  for (const parts of [framings['with a length'], framings['in chunks']]) {
    await client.write(...parts!())
    expect((await client.read()).head).toContain('connection: keep-alive')
    await client.write(GET)
    expect((await client.read()).status).toBe(200)
  }
})

test('an unread body is drained within bounds of bytes, time and silence', async () => {
  const answer = refusals['looks at nothing']!
  const endless = headOf('Transfer-Encoding: chunked')
  const closed = async (sockets: Socket[]) => sockets[0]?.destroyed || once(sockets[0]!, 'close')

  const bytes = await start(answer, { bytesMax: MIB })
  using much = await RawConnection.open(bytes.port)
  const cut = much.write(endless, ...Array.from({ length: 200 }, () => BODY)).catch((error) => error.code)
  expect(['EPIPE', 'ECONNRESET']).toContain(await cut)
  await closed(bytes.sockets)

  for (const drop of [{ msMax: 50 }, { idleMsMax: 50 }]) {
    const { port, sockets } = await start(answer, drop)
    using client = await RawConnection.open(port)
    await client.write(endless)
    await client.read()
    await closed(sockets)
  }
})

test('a server that stops does not wait for bodies it drains', async () => {
  const { port, sockets } = await start(refusals['looks at nothing']!)
  using client = await RawConnection.open(port)
  await client.write(headOf('Transfer-Encoding: chunked'), '5\r\n')
  await client.read()
  await running.pop()?.[Symbol.asyncDispose]()
  expect(sockets[0]?.destroyed).toBe(true)
})
