/**
 * HTTP servers, for both services: how they listen, how they stop, and what keeps a single request or socket from ending the process.
 *
 * Malformed requests (`clientError`) and `CONNECT` are left to Node, which answers or closes them with an error listener of its own.
 */
import {
  createServer,
  type Server as HttpServer,
  type IncomingMessage,
  type RequestListener,
  STATUS_CODES,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { logger } from './log.ts'

/** Takes over the socket of a request that asks for another protocol. */
export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

export interface HttpOptions {
  /** 0 lets the system choose one. */
  readonly port: number
  /** The address to listen on; undefined for every one. */
  readonly host: string | undefined
  /** Left out, requests for an upgrade are answered as all others. */
  readonly upgrade?: UpgradeListener
}

/** Longer than what proxies in front keep a connection for, so that they and not we close it. */
const KEEP_ALIVE_MS = 90_000
/** For what is being answered when the server stops. */
const STOP_SECONDS_MAX = 5

const log = logger('http')

/** A server that listens. Disposing of it ends it once what is being answered is answered, or after a while. */
export class ListeningHttp implements AsyncDisposable {
  readonly #server: HttpServer

  private constructor(server: HttpServer) {
    this.#server = server
  }

  /** Starts to listen. @throws the system's error when it cannot, with `syscall: 'listen'` */
  static async start(
    listener: RequestListener,
    { port, host, upgrade }: HttpOptions,
  ): Promise<ListeningHttp> {
    const server = createServer((request, response) => {
      try {
        listener(request, response)
      } catch (error) {
        // Before an application took over, so that none of its error handlers hears of it.
        log.error({ err: error }, 'a request failed')
        if (response.headersSent) response.destroy()
        else response.writeHead(500).end()
      }
    })
    server.keepAliveTimeout = KEEP_ALIVE_MS
    if (upgrade !== undefined) server.on('upgrade', guardedUpgrade(upgrade))
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, host, resolve)
    })
    return new ListeningHttp(server)
  }

  /** Where it listens. */
  get address(): AddressInfo {
    return this.#server.address() as AddressInfo
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeIdleConnections()
    const late = setTimeout(() => this.#server.closeAllConnections(), STOP_SECONDS_MAX * 1000)
    await closed
    clearTimeout(late)
  }
}

/**
 * Node takes its own error listener off a socket before it hands the socket over, and a peer may reset it at any moment: without a
 * listener that error would end the process.
 */
const guardedUpgrade =
  (upgrade: UpgradeListener): UpgradeListener =>
  (request, socket, head) => {
    socket.on('error', () => socket.destroy())
    try {
      upgrade(request, socket, head)
    } catch (error) {
      log.error({ err: error }, 'an upgrade failed')
      socket.destroy()
    }
  }

/** Answers a request for an upgrade that is not granted, and ends its connection. */
export function refuseUpgrade(
  socket: Duplex,
  status: number,
  headers: Readonly<Record<string, string | number>> = {},
): void {
  const lines = Object.entries({ Connection: 'close', 'Content-Length': 0, ...headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  )
  // A peer that never closes its side would keep a socket that was ended only.
  socket.once('finish', () => socket.destroy())
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n`)
}
