/** One WebSocket connection to a firehose: messages in, pings out, and a word about how it ended. What messages mean is left to `follower.ts`. */
import WebSocket from 'ws'

export interface Connection {
  /** Stops reading, so that the sender has to wait; a few messages that are here already may still be delivered. */
  pause(): void
  resume(): void
  close(): void
  /** Resolves when the connection is gone, whoever ended it. */
  readonly closed: Promise<Closed>
}

export interface Closed {
  reason: string
  /** The server sent a message that is too large even to be read and passed over. */
  oversized: boolean
}

/** Anything larger ends the connection; what is smaller and still too large for a frame is read and passed over. */
export const messageBytesMax = 16 * 1024 * 1024
const handshakeMsMax = 15_000
/** A connection on which nothing was heard for two of these periods, not even an answer to a ping, is dead. */
const pingIntervalMs = 20_000

/** Connects and hands each message to `receive`, which must not throw; null stands for a text message, which no frame is. */
export function connect(url: string, receive: (message: Buffer | null) => void): Connection {
  const socket = new WebSocket(url, {
    maxPayload: messageBytesMax,
    handshakeTimeout: handshakeMsMax,
    perMessageDeflate: false,
    headers: { 'user-agent': 'atoll-feedgen' },
  })
  const { promise: closed, resolve } = Promise.withResolvers<Closed>()
  let heard = true
  let problem: NodeJS.ErrnoException | undefined
  const hear = () => {
    heard = true
  }
  const pinger = setInterval(() => {
    if (socket.isPaused || socket.readyState !== WebSocket.OPEN) return
    if (!heard) {
      problem ??= new Error(`nothing heard for ${pingIntervalMs / 500} s`)
      socket.terminate()
      return
    }
    heard = false
    socket.ping()
  }, pingIntervalMs)
  socket.on('message', (data, isBinary) => {
    hear()
    receive(isBinary ? (data as Buffer) : null)
  })
  socket.on('ping', hear)
  socket.on('pong', hear)
  socket.on('error', (error) => {
    problem ??= error
  })
  socket.on('close', (code, text) => {
    clearInterval(pinger)
    const said = text.length > 0 ? `${code} ${text.toString().slice(0, 200)}` : String(code)
    resolve({
      reason: problem?.message ?? said,
      oversized: problem?.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH',
    })
  })
  return {
    pause: () => socket.pause(),
    resume() {
      // The server could not be heard meanwhile.
      hear()
      socket.resume()
    },
    // A server that does not close in its turn is not waited for.
    close: () => socket.terminate(),
    closed,
  }
}
