/** Subscribers of the firehose: one that reads the log, and many that follow what happens. */
import { WebSocket } from 'ws'
import type { BenchServer } from './server.ts'

const METHOD = 'com.atproto.sync.subscribeRepos'

/** Reads so many events from the log's beginning; how many they were. */
export async function replay(server: BenchServer, events: number): Promise<number> {
  let seen = 0
  await readFirehose(server, () => ++seen === events)
  return seen
}

/** Reads the firehose from the beginning of its log until `isLast` says so of a frame. */
export function readFirehose(server: BenchServer, isLast: (frame: Buffer) => boolean): Promise<void> {
  const socket = open(server, 'cursor=0')
  return new Promise((resolve, reject) => {
    socket.on('message', (frame: Buffer) => {
      if (!isLast(frame)) return
      resolve()
      socket.removeAllListeners('message')
      socket.terminate()
    })
    socket.on('error', reject)
    socket.on('close', (code) => reject(new Error(`the firehose was closed with code ${code}`)))
  })
}

/** Subscribers that stand at the end of the log and count what comes. */
export class LiveSubscribers implements Disposable {
  readonly #sockets: readonly WebSocket[]
  #awaited = { events: 0, resolve: () => {} }
  /** Events that came to any of them. */
  events = 0

  private constructor(sockets: readonly WebSocket[]) {
    this.#sockets = sockets
    for (const socket of sockets) {
      socket.on('message', () => {
        if (++this.events === this.#awaited.events) this.#awaited.resolve()
      })
    }
  }

  static async connect(server: BenchServer, count: number): Promise<LiveSubscribers> {
    const sockets = Array.from({ length: count }, () => open(server, ''))
    await Promise.all(
      sockets.map(
        (socket) =>
          new Promise((resolve, reject) => {
            socket.once('open', resolve)
            socket.once('error', reject)
          }),
      ),
    )
    return new LiveSubscribers(sockets)
  }

  /** Resolves when all of them together got so many events. */
  until(events: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.events >= events) resolve()
      else this.#awaited = { events, resolve }
    })
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) socket.terminate()
  }
}

function open(server: BenchServer, params: string): WebSocket {
  return new WebSocket(server.subscriptionUrl(METHOD, params), {
    perMessageDeflate: false,
    skipUTF8Validation: true,
  })
}
