/**
 * HTTP servers, for both services: how they listen, how they stop, and what keeps a single request
 * or socket from ending the process.
 *
 * Malformed requests (`clientError`) and `CONNECT` are left to Node, which answers or closes them
 * with an error listener of its own.
 */
import {
  createServer,
  type Server as HttpServer,
  type IncomingMessage,
  type RequestListener,
  STATUS_CODES,
} from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { logger } from './log.ts'
import { logRequest, logUpgrade } from './request-log.ts'
import { type DropBounds, UnreadBodies } from './unread-bodies.ts'

/** Takes over the socket of a request that asks for another protocol. */
export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

export interface HttpOptions {
  /** 0 lets the system choose one. */
  readonly port: number
  /** The address to listen on; undefined for every one. */
  readonly host: string | undefined
  /** Left out, requests for an upgrade are answered as all others. */
  readonly upgrade?: UpgradeListener
  /** How long a peer may take nothing of what it is sent. */
  readonly stallSecondsMax?: number
  /** How much of an unwanted body is read before its connection is closed. */
  readonly drop?: Partial<DropBounds>
}

/** Longer than what proxies in front keep a connection for, so that they and not we close it. */
const KEEP_ALIVE_MS = 90_000
/**
 * Then the connection of a peer that takes nothing of its response ends, and with it what the
 * response holds: a file, retired blocks.
 */
export const STALL_SECONDS_MAX = 60
/** How often that is looked at within the time. */
const STALL_LOOKS = 4
/** For what is being answered when the server stops. */
const STOP_SECONDS_MAX = 5

const log = logger('http')

/**
 * A server that listens. Disposing of it ends it once what is being answered is answered, or after
 * a while.
 */
export class ListeningHttp implements AsyncDisposable {
  readonly #server: HttpServer
  readonly #stalls: NodeJS.Timeout
  readonly #unread: UnreadBodies

  private constructor(server: HttpServer, stalls: NodeJS.Timeout, unread: UnreadBodies) {
    this.#server = server
    this.#stalls = stalls
    this.#unread = unread
  }

  /** Starts to listen. @throws the system's error when it cannot, with `syscall: 'listen'` */
  static async start(
    listener: RequestListener,
    { port, host, upgrade, stallSecondsMax = STALL_SECONDS_MAX, drop }: HttpOptions,
  ): Promise<ListeningHttp> {
    const unread = new UnreadBodies(drop)
    const server = createServer((request, response) => {
      unread.watch(request, response)
      logRequest(log, request, response)
      try {
        listener(request, response)
      } catch (error) {
        // Before an application took over, so that none of its error handlers hears of it.
        log.error({ err: error, todo: 'report this with the stack' }, 'a request failed')
        if (response.headersSent) response.destroy()
        else response.writeHead(500).end()
      }
    })
    server.keepAliveTimeout = KEEP_ALIVE_MS
    const guard = new StallGuard(stallSecondsMax * 1000)
    server.on('connection', (socket: Socket) => guard.watch(socket))
    if (upgrade !== undefined) server.on('upgrade', guardedUpgrade(upgrade, guard))
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, host, resolve)
    })
    const look = () => guard.look(performance.now())
    const stalls = setInterval(look, (stallSecondsMax * 1000) / STALL_LOOKS).unref()
    return new ListeningHttp(server, stalls, unread)
  }

  /** Where it listens. */
  get address(): AddressInfo {
    return this.#server.address() as AddressInfo
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeIdleConnections()
    this.#unread[Symbol.dispose]()
    const late = setTimeout(() => this.#server.closeAllConnections(), STOP_SECONDS_MAX * 1000)
    await closed
    clearTimeout(late)
    clearInterval(this.#stalls)
  }
}

/** A socket as far as it says what it was sent and what of that it took. */
export type Sending = Pick<Socket, 'writableLength' | 'bytesWritten' | 'destroy' | 'once'> & {
  /** Node's own, by which it tells that a long write goes on; without it, whole writes count. */
  readonly _handle?: { readonly writeQueueSize?: number } | null
}

interface Stall {
  readonly since: number
  readonly taken: number
  readonly queued: number | undefined
}

/**
 * Ends connections whose peer takes nothing of what it is sent. Node's own timeouts do not: what a
 * peer sends meanwhile keeps them from ending, and a handler that takes its time does not. One look
 * at all connections now and then; a response costs nothing.
 */
export class StallGuard {
  readonly #msMax: number
  /**
   * Each connection, with the moment since which nothing was taken while something was there to
   * take.
   */
  readonly #sockets = new Map<Sending, Stall | undefined>()

  constructor(msMax: number) {
    this.#msMax = msMax
  }

  watch(socket: Sending): void {
    this.#sockets.set(socket, undefined)
    socket.once('close', () => this.#sockets.delete(socket))
  }

  /** Leaves a connection to who took it over. */
  leave(socket: Sending): void {
    this.#sockets.delete(socket)
  }

  /** @param now milliseconds of a clock that goes forward */
  look(now: number): void {
    for (const [socket, stall] of this.#sockets) {
      if (socket.writableLength === 0) {
        if (stall !== undefined) this.#sockets.set(socket, undefined)
        continue
      }
      const taken = socket.bytesWritten - socket.writableLength
      const queued = socket._handle?.writeQueueSize
      if (stall === undefined || stall.taken !== taken || stall.queued !== queued) {
        this.#sockets.set(socket, { since: now, taken, queued })
      } else if (now - stall.since >= this.#msMax) {
        log.info({ seconds: this.#msMax / 1000 }, 'a response was not read')
        socket.destroy()
      }
    }
  }
}

/**
 * Node takes its own error listener off a socket before it hands the socket over, and a peer may
 * reset it at any moment: without a listener that error would end the process.
 */
const guardedUpgrade =
  (upgrade: UpgradeListener, stalls: StallGuard): UpgradeListener =>
  (request, socket, head) => {
    socket.on('error', () => socket.destroy())
    stalls.leave(socket as Socket)
    logUpgrade(log, request)
    try {
      upgrade(request, socket, head)
    } catch (error) {
      log.error({ err: error, todo: 'report this with the stack' }, 'an upgrade failed')
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
