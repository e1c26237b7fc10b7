/**
 * One WebSocket connection to a stream: messages in, pings out, and a word about how it ended. What
 * messages mean is left to the streams.
 */
import type { IncomingMessage } from 'node:http'
import WebSocket from 'ws'
import { publicLookup } from '#platform/fetch.ts'
import type { Address, Refusal } from './stream.ts'

export interface Connection {
  /**
   * Stops reading, so that the sender has to wait; a few messages that are here already may still
   * be delivered.
   */
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
  /** The server answered without a stream. */
  refusal?: Refusal
}

/**
 * Anything larger ends the connection; what is smaller and still too large for a frame is read and
 * passed over.
 */
export const messageBytesMax = 16 * 1024 * 1024
const handshakeMsMax = 15_000
/**
 * A connection on which nothing was heard for two of these periods, not even an answer to a ping,
 * is dead.
 */
const pingIntervalMs = 20_000
/** As much of a refusal as is read. */
const refusalBytesMax = 4096

/**
 * Connects and hands each message to `receive`, which must not throw: a binary one as bytes, one of
 * text as text.
 */
export function connect(
  { url, protocols, publicOnly }: Address,
  receive: (message: Buffer | string) => void,
): Connection {
  const socket = new WebSocket(url, protocols, {
    maxPayload: messageBytesMax,
    handshakeTimeout: handshakeMsMax,
    perMessageDeflate: false,
    headers: { 'user-agent': 'atoll-feedgen' },
    lookup: publicOnly ? publicLookup(url) : undefined,
  })
  const { promise: closed, resolve } = Promise.withResolvers<Closed>()
  let heard = true
  let problem: NodeJS.ErrnoException | undefined
  let refusal: Refusal | undefined
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
    receive(isBinary ? (data as Buffer) : (data as Buffer).toString())
  })
  socket.on('unexpected-response', async (_, response) => {
    const status = response.statusCode ?? 0
    problem = new Error(`answered with ${status}`)
    refusal = { status, body: await beginningOf(response) }
    socket.terminate()
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
      refusal,
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

async function beginningOf(response: IncomingMessage): Promise<string> {
  let text = ''
  try {
    for await (const chunk of response.setEncoding('utf8').setTimeout(handshakeMsMax)) {
      text += chunk
      if (text.length >= refusalBytesMax) break
    }
  } catch {
    // What came so far has to do.
  }
  return text.slice(0, refusalBytesMax)
}
