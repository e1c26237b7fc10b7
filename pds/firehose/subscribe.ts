/**
 * com.atproto.sync.subscribeRepos: the WebSocket side of the firehose.
 *
 * A subscriber is a cursor and a socket. It pulls pages after its cursor and sleeps when there are
 * none; nothing is buffered for it. One that does not take its page in time is told
 * `ConsumerTooSlow` and let go. https://atproto.com/specs/event-stream
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { callerOf } from '#platform/callers.ts'
import { refuseUpgrade, STALL_SECONDS_MAX } from '#platform/http.ts'
import type { Logger } from '#platform/log.ts'
import { encodeErrorFrame, encodeFrame } from '#protocol/frame.ts'
import { Places, type PlacesOptions } from '../limits/places.ts'
import type { Firehose } from './firehose.ts'

export const SUBSCRIBE_NSID = 'com.atproto.sync.subscribeRepos'
export const SUBSCRIBE_PATH = `/xrpc/${SUBSCRIBE_NSID}`

export interface SubscribersOptions {
  readonly firehose: Firehose
  readonly log: Logger
  /** How far back a cursor may reach, in milliseconds. */
  readonly backfillMsMax: number
  readonly subscribersMax?: number
  /** From one network, unless it is exempt. */
  readonly networkSubscribersMax?: number
  readonly isExempt?: PlacesOptions['isExempt']
  /** How long a subscriber may take over one page, in seconds. */
  readonly stallSecondsMax?: number
  readonly pingSeconds?: number
}

/** A subscription that cannot begin or go on; its name is the lexicon's. */
class SubscriptionError extends Error {
  override readonly name: string
  constructor(name: string, message: string) {
    super(message)
    this.name = name
  }
}

const CLOSE_GOING_AWAY = 1001
const CLOSE_POLICY = 1008
/** Subscribers have nothing to say. */
const INCOMING_BYTES_MAX = 1024
const CLOSE_SECONDS_MAX = 2

export class Subscribers implements AsyncDisposable {
  readonly #options: Required<Omit<SubscribersOptions, 'isExempt'>>
  readonly #places: Places
  readonly #sockets = new WebSocketServer({
    noServer: true,
    maxPayload: INCOMING_BYTES_MAX,
    perMessageDeflate: false,
  })
  readonly #running = new Set<Promise<void>>()
  readonly #pings: NodeJS.Timeout
  readonly #silent = new WeakSet<WebSocket>()
  #ended = false

  constructor(options: SubscribersOptions) {
    this.#options = {
      subscribersMax: 5_000,
      networkSubscribersMax: 50,
      stallSecondsMax: STALL_SECONDS_MAX,
      pingSeconds: 30,
      ...options,
    }
    const { subscribersMax: max, networkSubscribersMax: networkMax } = this.#options
    this.#places = new Places({ max, networkMax, isExempt: options.isExempt })
    this.#pings = setInterval(() => this.#ping(), this.#options.pingSeconds * 1000)
    this.#pings.unref()
  }

  /** Subscribers that are connected. */
  get count(): number {
    return this.#sockets.clients.size
  }

  /** Takes over an HTTP upgrade to SUBSCRIBE_PATH, whose caller is known. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (this.#ended || this.#places.isFull) return refuseUpgrade(socket, 503)
    const leave = this.#places.take(callerOf(request))
    if (leave === undefined) return refuseUpgrade(socket, 429)
    socket.once('close', leave)
    this.#sockets.handleUpgrade(request, socket, head, (ws) => {
      const run = this.#serve(ws, socket, request).finally(() => this.#running.delete(run))
      this.#running.add(run)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true
    clearInterval(this.#pings)
    for (const ws of this.#sockets.clients) ws.close(CLOSE_GOING_AWAY)
    const patience = setTimeout(() => {
      for (const ws of this.#sockets.clients) ws.terminate()
    }, CLOSE_SECONDS_MAX * 1000)
    await Promise.all(this.#running)
    clearTimeout(patience)
  }

  async #serve(ws: WebSocket, socket: Duplex, request: IncomingMessage): Promise<void> {
    const { firehose, log } = this.#options
    const ended = new AbortController()
    ws.on('close', () => ended.abort())
    ws.on('error', (error) => log.debug({ err: error }, 'a subscriber broke off'))
    ws.on('pong', () => this.#silent.delete(ws))
    try {
      const wanted = cursorOf(request)
      log.info({ cursor: wanted }, 'subscriber')
      let cursor = this.#start(ws, wanted)
      while (!ended.signal.aborted) {
        const news = firehose.news()
        const page = firehose.pageAfter(cursor)
        if (page === undefined) {
          await orAbort(news, ended.signal)
          continue
        }
        cursor = page.cursor
        if (!socket.write(page.bytes)) await this.#drained(socket, ended.signal)
      }
    } catch (error) {
      if (ended.signal.aborted) return
      const { name, message } =
        error instanceof SubscriptionError
          ? error
          : new SubscriptionError('InternalServerError', 'Internal Server Error')
      if (error instanceof SubscriptionError) log.info({ reason: name }, 'a subscriber was turned away')
      else
        log.error(
          { err: error, todo: 'look at the error; the subscriber comes back by itself' },
          'a subscription failed',
        )
      ws.send(encodeErrorFrame(name, message))
      ws.close(CLOSE_POLICY, name)
      // A socket that takes nothing will not take the farewell either.
      if (name === 'ConsumerTooSlow') setTimeout(() => ws.terminate(), CLOSE_SECONDS_MAX * 1000).unref()
    }
  }

  /**
   * Where to begin: the reference's rules for a cursor in the future, or from before the window.
   */
  #start(ws: WebSocket, cursor: number | undefined): number {
    const { firehose, backfillMsMax } = this.#options
    const tip = firehose.tip()
    if (cursor === undefined) return tip
    if (cursor > tip) throw new SubscriptionError('FutureCursor', 'Cursor in the future.')
    const windowBegins = new Date(Date.now() - backfillMsMax).toISOString()
    if (!firehose.isOlder(cursor, windowBegins)) return cursor
    ws.send(
      encodeFrame({
        kind: 'info',
        name: 'OutdatedCursor',
        message: 'Requested cursor exceeded limit. Possibly missing events',
      }),
    )
    return firehose.cursorAt(windowBegins)
  }

  async #drained(socket: Duplex, signal: AbortSignal): Promise<void> {
    const { stallSecondsMax } = this.#options
    const drained = Promise.withResolvers<void>()
    const late = setTimeout(
      () => drained.reject(new SubscriptionError('ConsumerTooSlow', 'Stream consumer too slow')),
      stallSecondsMax * 1000,
    )
    socket.once('drain', drained.resolve)
    try {
      await orAbort(drained.promise, signal)
    } finally {
      clearTimeout(late)
      socket.off('drain', drained.resolve)
    }
  }

  /** Lets go of peers that vanished without a word. */
  #ping(): void {
    for (const ws of this.#sockets.clients) {
      if (this.#silent.has(ws)) ws.terminate()
      else {
        this.#silent.add(ws)
        ws.ping()
      }
    }
  }
}

function cursorOf(request: IncomingMessage): number | undefined {
  const text = new URL(request.url ?? '/', 'http://localhost').searchParams.get('cursor')
  if (text === null || text === '') return undefined
  const cursor = Number(text)
  if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(cursor)) {
    throw new SubscriptionError('InvalidRequest', 'cursor must be an integer')
  }
  return cursor
}

/**
 * Waits for `promise` or for the abort, whichever comes first; a rejection of the promise is passed
 * on.
 */
async function orAbort(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  const aborted = Promise.withResolvers<void>()
  const onAbort = () => aborted.resolve()
  signal.addEventListener('abort', onAbort)
  try {
    await Promise.race([promise, aborted.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
