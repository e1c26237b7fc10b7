/**
 * A subscriber of a firehose that keeps every frame and its cursor, across as many connections as
 * it takes.
 */
import WebSocket from 'ws'
import { Wakeup } from '#platform/wakeup.ts'
import { decodeFrame } from '#protocol/frame.ts'
import type { StoredEvent } from './invariants.ts'

export interface ReceivedFrame {
  seq: number
  frame: Buffer
}

export class Subscriber {
  readonly frames: ReceivedFrame[] = []
  /** What came twice, out of order, or was no event. */
  readonly faults: string[] = []
  readonly #news = new Wakeup()
  #socket: WebSocket | undefined
  #closed: Promise<void> = Promise.resolve()

  /** The `seq` of the last event that was received; 0 before the first. */
  get cursor(): number {
    return this.frames.at(-1)?.seq ?? 0
  }

  /** Connects, and goes on after the cursor. Nothing happens when the server is not there. */
  connect(url: string): void {
    const endpoint = `${url.replace(/^http/, 'ws')}/xrpc/com.atproto.sync.subscribeRepos?cursor=${this.cursor}`
    const socket = new WebSocket(endpoint, { perMessageDeflate: false })
    this.#socket = socket
    this.#closed = new Promise((resolve) => socket.on('close', () => resolve()))
    socket.on('message', (data) => this.#receive(data as Buffer))
    socket.on('error', () => {
      // A server that was killed; what came before counts.
    })
  }

  /** Resolves when the connection is gone and all that came over it was received. */
  async closed(): Promise<void> {
    await this.#closed
  }

  /** Breaks the connection off. */
  async disconnect(): Promise<void> {
    this.#socket?.terminate()
    await this.#closed
  }

  /** Resolves when the event with this `seq` was received. */
  async reaches(seq: number): Promise<void> {
    while (this.cursor < seq) await this.#news.next()
  }

  /**
   * The `seq` of each frame that was sent and is not, with the same bytes, among the events that
   * were kept.
   */
  unkept(events: readonly StoredEvent[]): number[] {
    const kept = new Map(events.map(({ seq, frame }) => [seq, frame]))
    return this.frames.filter(({ seq, frame }) => !kept.get(seq)?.equals(frame)).map(({ seq }) => seq)
  }

  #receive(frame: Buffer): void {
    const event = decodeFrame(frame)
    const seq = 'seq' in event ? (event.seq ?? 0) : 0
    if (seq <= this.cursor) this.faults.push(`${event.kind} ${seq} came after ${this.cursor}`)
    this.frames.push({ seq, frame })
    this.#news.wake()
  }
}
