/**
 * The firehose: appends events inside the transaction that they describe, and serves pages of them.
 *
 * The event table is the log and the truth: an event is the frame as it will be sent, in the row
 * that its transaction wrote. Subscribers (subscribe.ts) pull pages after their cursor and are
 * woken by a commit.
 */

import type { Tx } from '#platform/sqlite.ts'
import { Wakeup } from '#platform/wakeup.ts'
import { encodeFrame, type RepoEvent } from '#protocol/frame.ts'
import type { EventStore } from '../store/events.ts'
import { encodeMessages } from './websocket.ts'

/**
 * A run of events, ready to be written to a WebSocket. Shared by the subscribers that stand at the
 * same cursor.
 */
export interface Page {
  /** The frames, each as one binary WebSocket message. */
  readonly bytes: Buffer
  readonly events: number
  /** The `seq` of the last event: the cursor to go on from. */
  readonly cursor: number
}

/** An event without what `append` gives it. */
export type NewEvent = RepoEvent extends infer E
  ? E extends { seq: number; time: string }
    ? Omit<E, 'seq' | 'time'>
    : never
  : never

const PAGE_EVENTS_MAX = 1_000
const PAGE_BYTES_MAX = 256 * 1024
/** Pages kept for subscribers that ask for the same. */
const PAGES_KEPT_MAX = 16

export class Firehose {
  readonly #events: EventStore
  readonly #wakeup = new Wakeup()
  readonly #pages = new Map<number, Page>()
  #lastSeq: number
  #durableSeq: number

  constructor(events: EventStore) {
    this.#events = events
    this.#lastSeq = events.lastSeq()
    this.#durableSeq = this.#lastSeq
  }

  /**
   * Appends an event of an account, inside the transaction that it describes; subscribers are woken
   * once that is durable. The `seq` of a transaction that fails is never sent or reused.
   */
  append(tx: Tx, account: number, event: NewEvent): void {
    const seq = ++this.#lastSeq
    this.#events.append(tx, seq, account, encodeFrame({ ...event, seq, time: tx.now } as RepoEvent))
    tx.afterCommit(() => {
      this.#durableSeq = seq
      this.#wakeup.wake()
    })
  }

  /** Forgets the pages that are kept: events in them were deleted. */
  forgetPages(): void {
    this.#pages.clear()
  }

  /** The `seq` of the last event that is durable; 0 when there is none. */
  tip(): number {
    return this.#durableSeq
  }

  /** Resolves when there may be events after those that were there when it was called. */
  news(): Promise<void> {
    return this.#wakeup.next()
  }

  /** The durable events after `cursor`, as many as fit a page; undefined when there are none. */
  pageAfter(cursor: number): Page | undefined {
    const kept = this.#pages.get(cursor)
    if (kept !== undefined) return kept
    const rows = this.#events.page(cursor, this.#durableSeq, PAGE_EVENTS_MAX, PAGE_BYTES_MAX)
    const last = rows.at(-1)
    if (last === undefined) return undefined
    const page = {
      bytes: encodeMessages(rows.map((row) => row.frame)),
      events: rows.length,
      cursor: last.seq,
    }
    this.#pages.set(cursor, page)
    const oldest = this.#pages.keys().next()
    if (this.#pages.size > PAGES_KEPT_MAX && !oldest.done) this.#pages.delete(oldest.value)
    return page
  }

  /** Whether the event after `cursor` is older than `time` (ISO 8601). */
  isOlder(cursor: number, time: string): boolean {
    const next = this.#events.firstAfter(cursor)
    return next !== undefined && next.time < time
  }

  /**
   * The cursor before the first event that is not older than `time`. `seq` and time rise together,
   * so a binary search finds it.
   */
  cursorAt(time: string): number {
    let low = 0
    let high = this.tip()
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      const next = this.#events.firstAfter(middle)
      if (next === undefined || next.time >= time) high = middle
      else low = next.seq
    }
    return low
  }
}
