/**
 * The line of events from one stream into the index: as many in one transaction as are ready, in
 * the order of their arrival, together with the cursor behind them. When the index cannot be
 * written the line waits, and nothing is lost.
 */
import { setImmediate as immediate } from 'node:timers/promises'
import { type Logger, logger } from '#platform/log.ts'
import { insist } from '#platform/retry.ts'
import { Wakeup } from '#platform/wakeup.ts'
import type { IndexEvent, IndexWriter, Outcome, Position } from '../index/writer.ts'
import type { Entry, Prepared } from './stream.ts'

export interface LineOptions {
  /** The name of the stream's cursor. */
  endpoint: string
  index: Pick<IndexWriter, 'apply'>
  /** Called with the outcome of each event once it is committed. */
  written(outcomes: readonly Outcome[]): void
  /** Told when the sender has to wait, and when not any more. */
  full(isFull: boolean): void
  signal: AbortSignal
}

/** Events that arrived and are not yet written; the sender waits while there are more. */
const queueEventsMax = 2000
const queueBytesMax = 64 * 1024 * 1024
/** Events in one transaction. */
const batchEventsMax = 500
const gatherMsMax = 50

interface Place {
  readonly entry: Entry
  /** Undefined while it is being found out. */
  prepared: Prepared | undefined
}

export class Line {
  readonly #options: LineOptions
  readonly #log: Logger = logger('firehose')
  readonly #queue: Place[] = []
  /** The head of the queue may be ready. */
  readonly #readied = new Wakeup()
  readonly #written = new Wakeup()
  #bytes = 0
  #full = false

  constructor(options: LineOptions) {
    this.#options = options
    options.signal.addEventListener('abort', () => {
      this.#readied.wake()
      this.#written.wake()
    })
  }

  /** Puts an event at the end. */
  add(entry: Entry): void {
    const { prepared, bytes } = entry
    const place: Place = { entry, prepared: prepared instanceof Promise ? undefined : prepared }
    if (prepared instanceof Promise) {
      void prepared.then((known) => {
        place.prepared = known
        this.#readied.wake()
      })
    }
    this.#queue.push(place)
    this.#bytes += bytes
    if (!this.#full && (this.#queue.length >= queueEventsMax || this.#bytes >= queueBytesMax)) this.#say(true)
    this.#readied.wake()
  }

  /** Resolves when all is written, or the signal came. */
  async drained(): Promise<void> {
    while (this.#queue.length > 0 && !this.#options.signal.aborted) await this.#written.next()
  }

  /** Writes what comes until the signal; what is in the line then is left for the next start. */
  async run(): Promise<void> {
    while (!this.#options.signal.aborted) {
      if (this.#queue[0] !== undefined && this.#queue[0].prepared !== undefined) {
        await this.#gather()
        await this.#writeReady()
      } else await this.#readied.next()
    }
  }

  /**
   * Waits for as long as more comes in at once, and not for long: a hundred events in one
   * transaction cost little more than one.
   */
  async #gather(): Promise<void> {
    const deadline = performance.now() + gatherMsMax
    for (let length = 0; length < this.#queue.length; ) {
      length = this.#queue.length
      if (length >= batchEventsMax || performance.now() > deadline) return
      await immediate()
    }
  }

  async #writeReady(): Promise<void> {
    const { endpoint, index, written, signal } = this.#options
    const events: IndexEvent[] = []
    let position: Position | undefined
    let length = 0
    while (length < batchEventsMax) {
      const place = this.#queue[length]
      if (place?.prepared === undefined) break
      length++
      if (place.prepared === 'passedOver') continue
      if (place.prepared !== null) events.push(place.prepared)
      if (place.entry.seq !== undefined) position = { endpoint, seq: place.entry.seq }
    }
    if (position !== undefined || events.length > 0) {
      const outcomes = await insist(() => index.apply(events, position), {
        signal,
        log: this.#log,
        message: 'the index cannot be written',
        about: { endpoint },
      })
      if (outcomes) written(outcomes)
    }
    for (const { entry } of this.#queue.splice(0, length)) this.#bytes -= entry.bytes
    if (this.#full && this.#queue.length < queueEventsMax / 2 && this.#bytes < queueBytesMax / 2)
      this.#say(false)
    this.#written.wake()
  }

  #say(isFull: boolean): void {
    this.#full = isFull
    this.#options.full(isFull)
  }
}
