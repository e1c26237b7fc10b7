/**
 * Follows one stream: connects, resumes from the stored cursor, and hands what comes to the line
 * into the index. What a message means is the stream's to say, and how it gets into the index the
 * line's.
 */
import { type Logger, logger } from '#platform/log.ts'
import { insist, pause } from '#platform/retry.ts'
import type { IndexWriter, Outcome } from '../index/writer.ts'
import { type Closed, type Connection, connect } from './connection.ts'
import { Line } from './queue.ts'
import type { From, Stream } from './stream.ts'

export interface FollowerOptions {
  stream: Stream
  /** Where to begin without a cursor. */
  start: 'oldest' | 'live'
  reconnectDelayMs: number
  index: Pick<IndexWriter, 'apply' | 'cursor' | 'forgetCursor'>
  /** Told of what became of each event once it is committed. */
  written(outcomes: readonly Outcome[]): void
}

const reconnectDelayMsMax = 30_000
/** On this machine nobody is in the way of a server that starts again, and people wait for it. */
const localReconnectDelayMsMax = 1000
const LOCAL_HOSTS = new Set(['localhost', '127.0.0.1', '[::1]'])

export class Follower implements AsyncDisposable {
  readonly #options: FollowerOptions
  readonly #log: Logger = logger('firehose')
  readonly #stopping = new AbortController()
  readonly #line: Line
  readonly #tasks: Promise<void>[]
  #connection: Connection | undefined
  #delayMsMax = reconnectDelayMsMax
  #messages = 0
  #cursorIsWrong = false

  constructor(options: FollowerOptions) {
    this.#options = options
    this.#line = new Line({
      endpoint: options.stream.name,
      index: options.index,
      written: options.written,
      full: (isFull) => (isFull ? this.#connection?.pause() : this.#connection?.resume()),
      signal: this.#stopping.signal,
    })
    this.#tasks = [this.#connectForEver(), this.#line.run()]
  }

  /**
   * Stops reading, lets the transaction under way end, and leaves the rest of the line for the next
   * start.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort()
    this.#connection?.close()
    await Promise.all(this.#tasks)
  }

  get #stopped(): boolean {
    return this.#stopping.signal.aborted
  }

  async #connectForEver(): Promise<void> {
    const { stream, reconnectDelayMs } = this.#options
    let failures = 0
    /**
     * Events that are too large to be read are stepped over by asking for what comes after the
     * cursor and them.
     */
    let skip = 0
    while (!this.#stopped) {
      const { reason, oversized } = await this.#follow(await this.#from(skip))
      if (this.#stopped) return
      if (oversized) stream.oversized(reason)
      skip = oversized ? (this.#messages > 0 ? 1 : skip + 1) : 0
      failures = this.#messages > 0 ? 0 : failures + 1
      const delay =
        Math.min(reconnectDelayMs * 2 ** failures, Math.max(reconnectDelayMs, this.#delayMsMax)) *
        (0.5 + Math.random() / 2)
      this.#log.warn(
        {
          endpoint: stream.name,
          reason,
          delay: Math.round(delay),
          todo: 'see whether FEEDGEN_SUBSCRIPTION_ENDPOINT is right and that service runs',
        },
        'the connection ended; connecting again',
      )
      await pause(delay, this.#stopping.signal)
    }
  }

  /** Follows the stream until the connection ends and what came over it is written. */
  async #follow(from: From): Promise<Closed> {
    const { stream } = this.#options
    this.#messages = 0
    let connection: Connection
    try {
      const address = await stream.address(from, this.#stopping.signal)
      this.#log.info({ endpoint: stream.name, from }, 'connecting')
      const { hostname } = new URL(address.url)
      this.#delayMsMax = LOCAL_HOSTS.has(hostname) ? localReconnectDelayMsMax : reconnectDelayMsMax
      connection = connect(address, (message) => this.#receive(message))
    } catch (error) {
      return { reason: (error as Error).message, oversized: false }
    }
    this.#connection = connection
    if (this.#stopped) connection.close()
    const closed = await connection.closed
    this.#connection = undefined
    await this.#line.drained()
    if (closed.refusal && stream.refused?.(closed.refusal) === 'wrongCursor') this.#cursorIsWrong = true
    return closed
  }

  /** Where to go on; where there is no cursor, as configured. */
  async #from(skip: number): Promise<From> {
    const { stream, start, index } = this.#options
    const cursor = await insist(
      async () => {
        if (this.#cursorIsWrong) {
          this.#log.warn(
            {
              endpoint: stream.name,
              start,
              todo: 'nothing: what the endpoint still has is read from its beginning, or from now',
            },
            'the cursor is of no use, and is forgotten',
          )
          await index.forgetCursor(stream.name)
        }
        this.#cursorIsWrong = false
        return index.cursor(stream.name)
      },
      {
        signal: this.#stopping.signal,
        log: this.#log,
        message: 'the index cannot be read',
        about: { endpoint: stream.name },
      },
    )
    if (cursor !== undefined) return cursor + skip
    // The oldest event of a stream that counts from 1 is behind 0.
    return start === 'oldest' && skip > 0 ? skip : start
  }

  #receive(message: Buffer | string): void {
    this.#messages++
    const reading = this.#options.stream.read(message, this.#stopping.signal)
    if (reading === 'wrongCursor') this.#cursorIsWrong = true
    else if (reading !== 'nothing') this.#line.add(reading)
  }
}
