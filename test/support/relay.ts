/**
 * A stand-in for a relay: a WebSocket server that sends the frames it is given, from a cursor on,
 * and misbehaves when told to.
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import { encodeErrorFrame, encodeFrame, type RepoEvent } from '#protocol/frame.ts'

interface Message {
  seq: number
  bytes: Buffer | string
}

export interface Relay extends AsyncDisposable {
  /** The URL of its `subscribeRepos`. */
  readonly url: string
  /** The cursors that subscribers came with, in the order they came; null where there was none. */
  readonly cursors: (number | null)[]
  /** How many subscribers there are now. */
  readonly subscribers: number
  /** Appends an event, which gets the next seq, and sends it. */
  emit(event: EventWithoutSeq): number
  /**
   * Appends bytes, or a text message, of the given seq, the next one when there is none, and sends
   * them.
   */
  send(bytes: Buffer | string, seq?: number): number
  /** Appends what is sent on request only: see `release`. */
  hold(messages: readonly Message[]): void
  /** Sends the next held messages; returns how many are still held. */
  release(count: number): number
  /** Ends all connections without a word. */
  cut(): void
  /** Forgets everything and counts from 1 again, as a server does that was set up anew. */
  reset(): void
}

type WithoutSeq<T> = T extends { seq: number } ? Omit<T, 'seq'> : never
export type EventWithoutSeq = WithoutSeq<RepoEvent>

/** Starts a relay on a free port. */
export async function startRelay(): Promise<Relay> {
  const server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    path: '/xrpc/com.atproto.sync.subscribeRepos',
  })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const log: Message[] = []
  const held: Message[] = []
  const cursors: (number | null)[] = []
  let lastSeq = 0

  server.on('connection', (socket, request) => {
    const text = new URL(request.url ?? '/', 'ws://relay').searchParams.get('cursor')
    const cursor = text === null ? null : Number(text)
    cursors.push(cursor)
    socket.on('error', () => undefined)
    if (cursor !== null && cursor > lastSeq) {
      socket.send(encodeErrorFrame('FutureCursor', 'Cursor in the future.'), () => socket.close(1008))
    } else if (cursor !== null) for (const { seq, bytes } of log) if (seq > cursor) write(socket, bytes)
  })

  const write = (socket: WebSocket, bytes: Buffer | string) =>
    socket.send(bytes, { binary: typeof bytes !== 'string' })
  const append = (message: Message) => {
    lastSeq = message.seq
    log.push(message)
    for (const socket of server.clients) write(socket, message.bytes)
  }
  const send = (bytes: Buffer | string, seq = lastSeq + 1) => {
    append({ seq, bytes })
    return seq
  }
  return {
    url: `ws://127.0.0.1:${port}/xrpc/com.atproto.sync.subscribeRepos`,
    cursors,
    get subscribers() {
      return server.clients.size
    },
    emit: (event) => send(encodeFrame({ ...event, seq: lastSeq + 1 } as RepoEvent)),
    send,
    hold: (messages) => void held.push(...messages),
    release(count) {
      for (const message of held.splice(0, count)) append(message)
      return held.length
    },
    cut() {
      for (const socket of server.clients) socket.terminate()
    },
    reset() {
      log.length = 0
      lastSeq = 0
    },
    async [Symbol.asyncDispose]() {
      for (const socket of server.clients) socket.terminate()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
