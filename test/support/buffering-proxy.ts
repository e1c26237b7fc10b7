/**
 * A proxy as it stands in front of a server: takes a request whole before it passes it on, and
 * keeps its connections to the server.
 */
import { once } from 'node:events'
import { createReadStream, createWriteStream } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { temporaryFolder } from './processes.ts'

export interface BufferingProxy extends AsyncDisposable {
  /** Without a slash at the end. */
  readonly url: string
}

/** Headers that are for one connection. */
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'expect', 'upgrade'])

/**
 * @param port the server's. All requests share one connection to it, so that one left in doubt is
 * met by the next.
 */
export async function startBufferingProxy(port: number): Promise<BufferingProxy> {
  const folder = temporaryFolder()
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  let count = 0
  const pass = async (from: IncomingMessage, to: ServerResponse) => {
    const file = path.join(folder.path, String(++count))
    try {
      await pipeline(from, createWriteStream(file))
      const { size } = await stat(file)
      const headers: Record<string, string | string[] | number> = {
        'x-forwarded-for': '203.0.113.7',
        'x-forwarded-proto': 'http',
      }
      for (const [name, value] of Object.entries(from.headers))
        if (value !== undefined && !HOP_BY_HOP.has(name)) headers[name] = value
      if (size > 0) headers['content-length'] = size
      const { method, url } = from
      const passed = request({ host: '127.0.0.1', port, method, path: url, headers, agent })
      const answered = once(passed, 'response') as Promise<[IncomingMessage]>
      // A server that answered may stop reading; one that did not has failed.
      const sent = pipeline(createReadStream(file), passed).catch(() => undefined)
      const [answer] = await answered
      to.writeHead(answer.statusCode ?? 502, withoutHops(answer))
      await pipeline(answer, to)
      await sent
    } catch {
      if (!to.headersSent) to.writeHead(502).end()
      else to.destroy()
    } finally {
      await rm(file, { force: true })
    }
  }
  const server = createServer((from, to) => void pass(from, to))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      agent.destroy()
      await closed
      folder[Symbol.dispose]()
    },
  }
}

const withoutHops = ({ headers }: IncomingMessage) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name)))
