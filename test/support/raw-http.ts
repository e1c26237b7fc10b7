/**
 * HTTP as simple clients and proxies speak it: connections that are kept, and bodies that are
 * written whole before anything is read.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'

/** A response as it came. */
export interface RawResponse {
  readonly status: number
  /** In lower case, as they came. */
  readonly head: string
  readonly body: string
}

/** One connection, over which requests go one after the other. */
export class RawConnection implements Disposable {
  readonly #socket: Socket
  #received = ''
  #error: NodeJS.ErrnoException | undefined
  #ended = false

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setEncoding('latin1').setMaxListeners(0)
    socket.on('error', (error) => {
      this.#error = error
    })
    socket.on('end', () => {
      this.#ended = true
    })
    socket.on('close', () => {
      this.#ended = true
    })
  }

  static async open(port: number): Promise<RawConnection> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    await once(socket, 'connect')
    socket.pause()
    return new RawConnection(socket)
  }

  /** Whether the other side closed it, or said that it will. */
  get isEnded(): boolean {
    return this.#ended
  }

  /**
   * Writes all of it, reading nothing. Rejects as the system does when the other side does not take
   * it.
   */
  async write(...parts: readonly (string | Uint8Array)[]): Promise<void> {
    for (const part of parts) {
      if (this.#error !== undefined) throw this.#error
      await new Promise<void>((resolve, reject) =>
        this.#socket.write(part, (error) => (error ? reject(error) : resolve())),
      )
      await turn()
    }
  }

  /** Reads one response to its end, by its length or its chunks. */
  async read(): Promise<RawResponse> {
    const onData = (text: string) => {
      this.#received += text
    }
    this.#socket.on('data', onData)
    this.#socket.resume()
    try {
      for (;;) {
        const found = this.#take()
        if (found !== undefined) return found
        if (this.#error !== undefined) throw this.#error
        if (this.#ended) throw new Error(`the connection ended after ${JSON.stringify(this.#received)}`)
        await Promise.race(['data', 'end', 'close', 'error'].map((event) => once(this.#socket, event)))
      }
    } finally {
      this.#socket.off('data', onData)
    }
  }

  #take(): RawResponse | undefined {
    const end = this.#received.indexOf('\r\n\r\n')
    if (end < 0) return undefined
    const head = this.#received.slice(0, end).toLowerCase()
    const rest = this.#received.slice(end + 4)
    const length = /^content-length: (\d+)/m.exec(head)?.[1]
    const size = length === undefined ? chunkedSize(rest) : Number(length)
    if (size === undefined || rest.length < size) return undefined
    this.#received = rest.slice(size)
    const status = Number(head.split(' ', 2)[1])
    return { status, head, body: rest.slice(0, size) }
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }
}

function chunkedSize(text: string): number | undefined {
  const end = text.indexOf('0\r\n\r\n')
  return end < 0 ? undefined : end + 5
}

/** A body in chunks, each as it goes over the wire. */
export function* chunked(body: Uint8Array, bytes = 64 * 1024): Generator<Uint8Array> {
  for (let at = 0; at < body.length; at += bytes) {
    const part = body.subarray(at, at + bytes)
    yield Buffer.concat([Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')])
  }
  yield Buffer.from('0\r\n\r\n')
}
