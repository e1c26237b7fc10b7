/**
 * Follows one endpoint: connects, resumes from the stored cursor, verifies what comes and writes it into the index.
 *
 * Each event is prepared as it arrives, which may mean waiting for its author's DID document, many at a time; prepared events are written in
 * the order of their arrival, as many in one transaction as are ready. Whatever is wrong with an event, it is counted and passed over. What is wrong with
 * our own side (the index cannot be written, the PLC directory is down) makes the line wait instead, and nothing is lost.
 */
import { setImmediate as immediate, setTimeout as sleep } from 'node:timers/promises'
import { isValidDid } from '@atproto/syntax'
import { type Logger, logger } from '#platform/log.ts'
import { Wakeup } from '#platform/wakeup.ts'
import { formatCid } from '#protocol/cid.ts'
import {
  type AccountEvent,
  type CommitEvent,
  decodeFrame,
  type ErrorEvent,
  FrameError,
  type InfoEvent,
  type SyncEvent,
} from '#protocol/frame.ts'
import type { PublicKey } from '#protocol/keys.ts'
import type { CommitChange, IndexEvent, IndexWriter, Position, SyncChange } from '../index/writer.ts'
import { type Closed, type Connection, connect } from './connection.ts'
import { type Counts, EventFault } from './counts.ts'
import { type AuthorKeys, DirectoryDownError, UnknownAuthorError } from './keys.ts'
import { changeOf } from './records.ts'
import { isSigned, type OpenedEvent, openCommit, openSync } from './verify.ts'

export interface FollowerOptions {
  /** The URL of `subscribeRepos`. */
  endpoint: string
  /** Where to begin without a cursor. */
  start: 'oldest' | 'live'
  reconnectDelayMs: number
  /** Feed records count when they name this service. */
  serviceDid: string
  index: Pick<IndexWriter, 'apply' | 'cursor' | 'forgetCursor'>
  keys: AuthorKeys
  counts: Counts
}

/** A frame: 2 MB of blocks, and the ops beside them. https://atproto.com/specs/sync#commit-validation */
export const frameBytesMax = 5_000_000
/** Events that arrived and are not yet written; the socket waits while there are more. */
const queueEventsMax = 2000
const queueBytesMax = 64 * 1024 * 1024
/** Events in one transaction. */
const batchEventsMax = 500
const gatherMsMax = 50
const reconnectDelayMsMax = 30_000
/** On this machine nobody is in the way of a server that starts again, and people wait for it. */
const localReconnectDelayMsMax = 1000
const LOCAL_HOSTS = new Set(['localhost', '127.0.0.1', '[::1]'])
const retryDelayMs = 500
const retryDelayMsMax = 30_000
/** After so many failures, the directory is asked whether it is there at all. */
const lookupTriesMax = 3

/** An event on its way into the index. */
interface Entry {
  readonly seq: number | undefined
  readonly bytes: number
  ready?: Prepared
}

/** What is to be written; `passedOver` events leave the cursor where it is. */
type Prepared = 'passedOver' | { event: IndexEvent | null }

export class Follower implements AsyncDisposable {
  readonly #options: FollowerOptions
  readonly #log: Logger = logger('firehose')
  readonly #stopping = new AbortController()
  readonly #queue: Entry[] = []
  /** The head of the queue may be ready. */
  readonly #readied = new Wakeup()
  readonly #written = new Wakeup()
  readonly #tasks: Promise<void>[]
  #queueBytes = 0
  #connection: Connection | undefined
  #paused = false
  #messages = 0
  #cursorIsWrong = false

  constructor(options: FollowerOptions) {
    this.#options = options
    this.#tasks = [this.#connectForEver(), this.#writeForEver()]
  }

  /** Stops reading, lets the transaction under way end, and leaves the rest of the queue for the next start. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort()
    this.#connection?.close()
    this.#readied.wake()
    this.#written.wake()
    await Promise.all(this.#tasks)
  }

  get #stopped(): boolean {
    return this.#stopping.signal.aborted
  }

  // --- the connection

  async #connectForEver(): Promise<void> {
    const { endpoint, reconnectDelayMs } = this.#options
    const { hostname } = new URL(endpoint)
    const delayMsMax = LOCAL_HOSTS.has(hostname) ? localReconnectDelayMsMax : reconnectDelayMsMax
    let failures = 0
    /** Events that are too large to be read are stepped over by asking for what comes after the cursor and them. */
    let skip = 0
    while (!this.#stopped) {
      const cursor = await this.#cursor()
      const from = cursor === undefined ? undefined : cursor + skip
      const { reason, oversized } = await this.#follow(from)
      if (this.#stopped) return
      if (oversized) this.#options.counts.fault('oversized', { endpoint }, reason)
      skip = oversized ? (this.#messages > 0 ? 1 : skip + 1) : 0
      failures = this.#messages > 0 ? 0 : failures + 1
      const delay =
        Math.min(reconnectDelayMs * 2 ** failures, Math.max(reconnectDelayMs, delayMsMax)) *
        (0.5 + Math.random() / 2)
      this.#log.warn({ endpoint, reason, delay: Math.round(delay) }, 'the connection ended; connecting again')
      await this.#pause(delay)
    }
  }

  /** Follows the endpoint until the connection ends and what came over it is written. */
  async #follow(cursor: number | undefined): Promise<Closed> {
    const { endpoint } = this.#options
    const url = new URL(endpoint)
    if (cursor !== undefined) url.searchParams.set('cursor', String(cursor))
    this.#log.info({ endpoint, cursor }, 'connecting')
    this.#messages = 0
    this.#paused = false
    const connection = connect(url.href, (message) => this.#receive(message))
    this.#connection = connection
    if (this.#stopped) connection.close()
    const closed = await connection.closed
    this.#connection = undefined
    while (this.#queue.length > 0 && !this.#stopped) await this.#written.next()
    return closed
  }

  /** Where to go on; where there is no cursor, as configured. */
  async #cursor(): Promise<number | undefined> {
    const { endpoint, start, index } = this.#options
    const cursor = await this.#insist('the index cannot be read', async () => {
      if (this.#cursorIsWrong) await index.forgetCursor(endpoint)
      this.#cursorIsWrong = false
      return index.cursor(endpoint)
    })
    return cursor ?? (start === 'oldest' ? 0 : undefined)
  }

  #receive(message: Buffer | null): void {
    this.#messages++
    const entry = this.#prepare(message)
    if (entry === null) return
    this.#queue.push(entry)
    this.#queueBytes += entry.bytes
    if (!this.#paused && (this.#queue.length >= queueEventsMax || this.#queueBytes >= queueBytesMax)) {
      this.#paused = true
      this.#connection?.pause()
    }
    this.#readied.wake()
  }

  // --- preparing

  #prepare(message: Buffer | null): Entry | null {
    const { endpoint, counts, keys } = this.#options
    try {
      if (message === null) throw new EventFault('malformed-frame', 'a text message')
      if (message.length > frameBytesMax)
        throw new EventFault('oversized', `a frame of ${message.length} bytes`)
      const event = readFrame(message)
      counts.events[event.kind]++
      const bytes = message.length
      switch (event.kind) {
        case 'commit':
          return this.#prepareSigned(event, event.repo, bytes)
        case 'sync':
          return this.#prepareSigned(event, event.did, bytes)
        case 'account':
          return { seq: event.seq, bytes, ready: { event: accountChange(event) } }
        case 'identity':
          // At once, not in its turn: events behind it are prepared before this one would be written.
          keys.forget(event.did)
          return { seq: event.seq, bytes, ready: { event: null } }
        case 'unknown':
          return { seq: event.seq, bytes, ready: { event: null } }
        case 'info':
        case 'error':
          this.#hear(event)
          return null
      }
    } catch (error) {
      counts.fault(faultOf(error), { endpoint }, error)
      return null
    }
  }

  #hear(event: InfoEvent | ErrorEvent): void {
    const { endpoint, start } = this.#options
    if (event.kind === 'info') {
      this.#log.warn({ endpoint, name: event.name, message: event.message }, 'the endpoint says')
      return
    }
    this.#log.warn({ endpoint, error: event.error, message: event.message }, 'the endpoint refuses')
    if (event.error === 'FutureCursor') {
      // It was set up anew and counts from the beginning.
      this.#log.warn({ endpoint, start }, 'the endpoint does not know the cursor, which is forgotten')
      this.#cursorIsWrong = true
    }
  }

  /** A commit or sync event: checked now, and its signature too if the author's key is at hand. */
  #prepareSigned(event: CommitEvent | SyncEvent, did: string, bytes: number): Entry {
    const { seq } = event
    try {
      const opened = event.kind === 'commit' ? openCommit(event) : openSync(event)
      const key = this.#options.keys.known(did)
      if (key && isSigned(opened, key)) return { seq, bytes, ready: this.#accept(event, opened) }
      const entry: Entry = { seq, bytes }
      this.#authenticate(opened, did, key)
        .then(
          () => this.#accept(event, opened),
          (error) => this.#refuse(error, did, seq),
        )
        .then((prepared) => {
          entry.ready = prepared
          this.#readied.wake()
        })
      return entry
    } catch (error) {
      return { seq, bytes, ready: this.#refuse(error, did, seq) }
    }
  }

  /**
   * Finds the key that the commit is signed with, which may be newer than the one at hand.
   * @throws EventFault
   */
  async #authenticate(opened: OpenedEvent, did: string, tried: PublicKey | undefined): Promise<void> {
    const { keys } = this.#options
    if (!tried && isSigned(opened, await this.#patiently(() => keys.get(did)))) return
    if (isSigned(opened, await this.#patiently(() => keys.refresh(did)))) return
    throw new EventFault('wrong-signature', 'the signature is not the author’s')
  }

  /** Asks for a key until there is an answer: while the directory is down, nothing can be said of anybody. */
  async #patiently(ask: () => Promise<PublicKey>): Promise<PublicKey> {
    for (let tries = 1; ; tries++) {
      try {
        return await ask()
      } catch (error) {
        if (error instanceof UnknownAuthorError)
          throw new EventFault('unknown-author', error.message, { cause: error })
        if (!(error instanceof DirectoryDownError) || this.#stopped) throw error
        if (tries >= lookupTriesMax && (await this.#options.keys.directoryAnswers())) {
          throw new EventFault('unknown-author', error.message, { cause: error })
        }
        this.#log.warn({ err: error, tries }, 'waiting for the PLC directory')
        await this.#pause(retryDelay(tries))
      }
    }
  }

  #accept(event: CommitEvent | SyncEvent, opened: OpenedEvent): Prepared {
    this.#options.counts.verified++
    return { event: event.kind === 'commit' ? this.#commitChange(event, opened) : syncChange(event, opened) }
  }

  #refuse(error: unknown, did: string, seq: number): Prepared {
    if (!this.#stopped)
      this.#options.counts.fault(faultOf(error), { endpoint: this.#options.endpoint, did, seq }, error)
    return 'passedOver'
  }

  #commitChange(event: CommitEvent, { commit, blocks }: OpenedEvent): CommitChange {
    const { endpoint, counts, serviceDid } = this.#options
    const { repo: did, rev, since, prevData, seq } = event
    const now = Date.now()
    // The event's own time, so that reading it again later makes the same rows.
    const seenAt = Math.min(Date.parse(event.time) || now, now)
    const changes: CommitChange['changes'] = []
    for (const op of event.ops) {
      counts.ops[op.action]++
      const change = changeOf(op, blocks, { did, seenAt, serviceDid }, (fault) =>
        counts.fault(fault.fault, { endpoint, did, seq, path: op.path }, fault),
      )
      if (change) changes.push(change)
    }
    return {
      kind: 'commit',
      did,
      rev,
      since,
      prevData: prevData && formatCid(prevData),
      data: formatCid(commit.data),
      changes,
    }
  }

  // --- writing

  async #writeForEver(): Promise<void> {
    while (!this.#stopped) {
      if (this.#queue[0]?.ready) {
        await this.#gather()
        await this.#writeReady()
      } else await this.#readied.next()
    }
  }

  /** Waits for as long as more comes in at once, and not for long: a hundred events in one transaction cost little more than one. */
  async #gather(): Promise<void> {
    const deadline = performance.now() + gatherMsMax
    for (let length = 0; length < this.#queue.length; ) {
      length = this.#queue.length
      if (length >= batchEventsMax || performance.now() > deadline) return
      await immediate()
    }
  }

  /** Writes the events at the head of the queue that are ready, in one transaction with the cursor. */
  async #writeReady(): Promise<void> {
    const { endpoint, index, counts } = this.#options
    const events: IndexEvent[] = []
    let position: Position | undefined
    let length = 0
    while (length < batchEventsMax) {
      const entry = this.#queue[length]
      if (entry?.ready === undefined) break
      length++
      if (entry.ready === 'passedOver') continue
      if (entry.ready.event !== null) events.push(entry.ready.event)
      if (entry.seq !== undefined) position = { endpoint, seq: entry.seq }
    }
    if (position !== undefined || events.length > 0) {
      const outcomes = await this.#insist('the index cannot be written', () => index.apply(events, position))
      for (const outcome of outcomes ?? []) counts.outcomes[outcome]++
    }
    for (const { bytes } of this.#queue.splice(0, length)) this.#queueBytes -= bytes
    if (this.#paused && this.#queue.length < queueEventsMax / 2 && this.#queueBytes < queueBytesMax / 2) {
      this.#paused = false
      this.#connection?.resume()
    }
    this.#written.wake()
  }

  // --- waiting

  /** Does it again and again until it works or the follower is stopped; undefined then. */
  async #insist<T>(message: string, work: () => Promise<T>): Promise<T | undefined> {
    for (let tries = 1; !this.#stopped; tries++) {
      try {
        return await work()
      } catch (error) {
        this.#log.error({ err: error, endpoint: this.#options.endpoint, tries }, message)
        await this.#pause(retryDelay(tries))
      }
    }
    return undefined
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stopping.signal }).catch(() => undefined)
  }
}

/** The event in a message, of an account whose DID is one. */
function readFrame(message: Buffer): ReturnType<typeof decodeFrame> {
  const event = decodeFrame(message)
  const did = 'repo' in event ? event.repo : 'did' in event ? event.did : undefined
  if (did !== undefined && !isValidDid(did)) throw new FrameError('an event of something that is no DID')
  return event
}

function accountChange({ did, active, status }: AccountEvent): IndexEvent {
  return { kind: 'account', did, active, status }
}

function syncChange({ did, rev }: SyncEvent, { commit }: OpenedEvent): SyncChange {
  return { kind: 'sync', did, rev, data: formatCid(commit.data) }
}

function faultOf(error: unknown): EventFault['fault'] {
  if (error instanceof EventFault) return error.fault
  return error instanceof FrameError ? 'malformed-frame' : 'internal'
}

function retryDelay(tries: number): number {
  return Math.min(retryDelayMs * 2 ** (tries - 1), retryDelayMsMax)
}
