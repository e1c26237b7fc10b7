/** A subscriber of a firehose that keeps the frames as they came. */
import { once } from 'node:events'
import WebSocket, { type ClientOptions } from 'ws'
import { decodeFrame } from '#protocol/frame.ts'

/** A frame, decoded. */
export type Frame = ReturnType<typeof decodeFrame>

export class Subscriber implements Disposable {
  readonly frames: Buffer[] = []
  /** How the connection ended. */
  readonly closed: Promise<{ code: number; reason: string }>
  readonly socket: WebSocket
  #arrived = Promise.withResolvers<void>()

  private constructor(socket: WebSocket) {
    this.socket = socket
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }))
    })
    socket.on('error', () => undefined)
    socket.on('message', (data: Buffer, isBinary) => {
      if (!isBinary) throw new Error('frames are binary messages')
      this.frames.push(data)
      this.#wake()
    })
    socket.on('close', () => this.#wake())
  }

  /**
   * Connects; resolves once the connection stands.
   * @param service `http://host:port`
   */
  static async connect(
    service: string,
    cursor?: number | string,
    options: ClientOptions = {},
  ): Promise<Subscriber> {
    const query = cursor === undefined ? '' : `?cursor=${cursor}`
    const url = `${service.replace(/^http/, 'ws')}/xrpc/com.atproto.sync.subscribeRepos${query}`
    const socket = new WebSocket(url, options)
    const subscriber = new Subscriber(socket)
    await once(socket, 'open')
    return subscriber
  }

  /** The frames so far, decoded. */
  get events(): Frame[] {
    return this.frames.map((frame) => decodeFrame(frame))
  }

  /** Waits until `isEnough` of the frames so far. Fails when the connection ends before. */
  async until(isEnough: (frames: readonly Buffer[]) => boolean): Promise<void> {
    while (!isEnough(this.frames)) {
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error('the stream ended early')
      await this.#arrived.promise
    }
  }

  /** Waits for that many frames. */
  count(frames: number): Promise<void> {
    return this.until(({ length }) => length >= frames)
  }

  /** Waits for the frame of this `seq`. */
  seq(seq: number): Promise<void> {
    return this.until((frames) => frames.length > 0 && seqOf(frames.at(-1) as Buffer) >= seq)
  }

  [Symbol.dispose](): void {
    this.socket.terminate()
  }

  #wake(): void {
    const arrived = this.#arrived
    this.#arrived = Promise.withResolvers<void>()
    arrived.resolve()
  }
}

/** The `seq` of a frame; 0 for one that has none. */
export function seqOf(frame: Buffer): number {
  const event = decodeFrame(frame)
  return 'seq' in event && event.seq !== undefined ? event.seq : 0
}
