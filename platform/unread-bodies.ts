/**
 * Responses that are sent while the body of their request is still arriving: mostly refusals.
 *
 * Such a connection cannot be kept, since the rest of the body is not parsed up to the next
 * request: a proxy would send one and wait. And it cannot be closed at once, since a peer that is
 * still writing would get a reset instead of the response. So the response announces that the
 * connection closes, and the rest of the body is read and discarded, within bounds, until the peer
 * closes its side.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** What is dropped of a body at most, and for how long. */
export interface DropBounds {
  readonly bytesMax: number
  readonly msMax: number
  /** How long a peer may send nothing and not close. */
  readonly idleMsMax: number
}

const DROPPED_BYTES_MAX = 512 * 1024 * 1024
const DROP_SECONDS_MAX = 60
const DROP_IDLE_SECONDS_MAX = 5

const PRESET: DropBounds = {
  bytesMax: DROPPED_BYTES_MAX,
  msMax: DROP_SECONDS_MAX * 1000,
  idleMsMax: DROP_IDLE_SECONDS_MAX * 1000,
}

/** The connections whose peers are still sending unwanted bytes. Disposing closes them. */
export class UnreadBodies implements Disposable {
  readonly #bounds: DropBounds
  readonly #dropping = new Set<Socket>()

  constructor(bounds: Partial<DropBounds> = {}) {
    this.#bounds = { ...PRESET, ...bounds }
  }

  /**
   * Has the response of a request close the connection if it begins before the request is whole.
   */
  watch(request: IncomingMessage, response: ServerResponse): void {
    const { headers, socket } = request
    if (headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0) return
    const writeHead = response.writeHead as (...args: unknown[]) => ServerResponse
    // Called for every head, including implicit ones.
    response.writeHead = (...args: unknown[]) => {
      if (!request.complete && !response.headersSent) {
        response.setHeader('Connection', 'close')
        this.#closeGently(request, socket)
      }
      return writeHead.apply(response, args)
    }
  }

  [Symbol.dispose](): void {
    for (const socket of this.#dropping) socket.destroy()
  }

  /**
   * Node calls `destroySoon` once the response is sent, which closes a socket whatever still comes
   * over it.
   */
  #closeGently(request: IncomingMessage, socket: Socket): void {
    const destroySoon = socket.destroySoon
    socket.destroySoon = () => {
      socket.destroySoon = destroySoon
      if (request.complete) socket.destroySoon()
      else this.#drop(socket)
    }
  }

  #drop(socket: Socket): void {
    if (socket.destroyed) return
    const { bytesMax, msMax, idleMsMax } = this.#bounds
    const close = () => socket.destroy()
    const late = setTimeout(close, msMax)
    this.#dropping.add(socket)
    socket.once('close', () => {
      clearTimeout(late)
      this.#dropping.delete(socket)
    })
    // From here on the bytes bypass the parser, which would stop reading without a consumer.
    socket.removeAllListeners('data')
    let bytes = 0
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > bytesMax) close()
    })
    socket.once('end', close)
    socket.setTimeout(idleMsMax, close)
    socket.end()
    // An interrupted reader may have left a read that never ends; an empty one ends it.
    socket.push('')
    socket.resume()
  }
}
