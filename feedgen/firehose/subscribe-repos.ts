/**
 * The stream of repositories, `com.atproto.sync.subscribeRepos`: decoded, verified, and turned into
 * what the index is told.
 *
 * Each event is verified as it arrives, which may mean waiting for its author's DID document, many
 * at a time. Whatever is wrong with an event, it is counted and passed over; while the PLC
 * directory is down, nothing can be said of anybody, and the line waits. A relay that is trusted
 * has verified the events itself: its signatures and proofs are not looked at again.
 */
import { isValidDid } from '@atproto/syntax'
import { type Logger, logger } from '#platform/log.ts'
import { pause, retryDelay } from '#platform/retry.ts'
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
import { type AuthorKeys, DirectoryDownError, UnknownAuthorError } from '../identity/identity-cache.ts'
import type { CommitChange, IndexEvent, SyncChange } from '../index/writer.ts'
import { type Counts, EventFault } from './counts.ts'
import { changeOf } from './records.ts'
import type { Address, From, Prepared, Reading, Stream } from './stream.ts'
import { isSigned, type OpenedEvent, openCommit, openSync } from './verify.ts'

export interface RepoStreamOptions {
  /** The URL of `subscribeRepos`. */
  endpoint: string
  /** Whether the endpoint's word is taken for what authors signed. */
  trusted: boolean
  /** Feed records count when they name this service. */
  serviceDid: string
  keys: AuthorKeys
  counts: Counts
}

/**
 * A frame: 2 MB of blocks, and the ops beside them.
 * https://atproto.com/specs/sync#commit-validation
 */
export const frameBytesMax = 5_000_000
/** After so many failures, the directory is asked whether it is there at all. */
const lookupTriesMax = 3

export class RepoStream implements Stream {
  readonly #options: RepoStreamOptions
  readonly #log: Logger = logger('firehose')

  constructor(options: RepoStreamOptions) {
    this.#options = options
  }

  get name(): string {
    return this.#options.endpoint
  }

  async address(from: From): Promise<Address> {
    const url = new URL(this.#options.endpoint)
    if (from !== 'live') url.searchParams.set('cursor', String(from === 'oldest' ? 0 : from))
    return { url: url.href }
  }

  oversized(reason: string): void {
    const { endpoint, counts } = this.#options
    counts.fault('oversized', { endpoint }, reason)
  }

  read(message: Buffer | string, signal: AbortSignal): Reading {
    const { endpoint, counts, keys } = this.#options
    try {
      if (typeof message === 'string') throw new EventFault('malformed-frame', 'a text message')
      if (message.length > frameBytesMax)
        throw new EventFault('oversized', `a frame of ${message.length} bytes`)
      const event = readFrame(message)
      counts.events[event.kind]++
      const bytes = message.length
      switch (event.kind) {
        case 'commit':
        case 'sync':
          return { seq: event.seq, bytes, prepared: this.#prepareSigned(event, signal) }
        case 'account':
          return { seq: event.seq, bytes, prepared: accountChange(event) }
        case 'identity':
          // At once, not in its turn: events behind it are prepared before this one would be
          // written.
          keys.forget(event.did)
          return { seq: event.seq, bytes, prepared: null }
        case 'unknown':
          return { seq: event.seq, bytes, prepared: null }
        case 'info':
        case 'error':
          return this.#hear(event)
      }
    } catch (error) {
      counts.fault(faultOf(error), { endpoint }, error)
      return 'nothing'
    }
  }

  #hear(event: InfoEvent | ErrorEvent): Reading {
    const { endpoint } = this.#options
    if (event.kind === 'info') {
      this.#log.info({ endpoint, name: event.name, message: event.message }, 'the endpoint says')
      return 'nothing'
    }
    this.#log.warn(
      {
        endpoint,
        error: event.error,
        message: event.message,
        todo: 'see what the endpoint says, and whether FEEDGEN_SUBSCRIPTION_ENDPOINT is right',
      },
      'the endpoint refuses',
    )
    // It was set up anew and counts from the beginning.
    return event.error === 'FutureCursor' ? 'wrongCursor' : 'nothing'
  }

  /** A commit or sync event: checked now, and its signature too if the author's key is at hand. */
  #prepareSigned(event: CommitEvent | SyncEvent, signal: AbortSignal): Prepared | Promise<Prepared> {
    const { keys, trusted } = this.#options
    const did = event.kind === 'commit' ? event.repo : event.did
    try {
      const opened = event.kind === 'commit' ? openCommit(event, { trusted }) : openSync(event)
      if (trusted) return this.#accept(event, opened)
      const key = keys.known(did)
      if (key && isSigned(opened, key)) return this.#accept(event, opened)
      return this.#authenticate(opened, { did, tried: key, signal })
        .then(() => this.#accept(event, opened))
        .catch((error: unknown) => this.#refuse(error, did, event.seq, signal))
    } catch (error) {
      return this.#refuse(error, did, event.seq, signal)
    }
  }

  /**
   * Finds the key that the commit is signed with, which may be newer than the one that was tried.
   * @throws EventFault
   */
  async #authenticate(
    opened: OpenedEvent,
    { did, tried, signal }: { did: string; tried: PublicKey | undefined; signal: AbortSignal },
  ): Promise<void> {
    const { keys } = this.#options
    if (!tried && isSigned(opened, await this.#patiently(() => keys.get(did), signal))) return
    if (isSigned(opened, await this.#patiently(() => keys.refresh(did), signal))) return
    throw new EventFault('wrong-signature', 'the signature is not the author’s')
  }

  /**
   * Asks for a key until there is an answer: while the directory is down, nothing can be said of
   * anybody.
   */
  async #patiently(ask: () => Promise<PublicKey>, signal: AbortSignal): Promise<PublicKey> {
    for (let tries = 1; ; tries++) {
      try {
        return await ask()
      } catch (error) {
        if (error instanceof UnknownAuthorError)
          throw new EventFault('unknown-author', error.message, { cause: error })
        if (!(error instanceof DirectoryDownError) || signal.aborted) throw error
        if (tries >= lookupTriesMax && (await this.#options.keys.directoryAnswers())) {
          throw new EventFault('unknown-author', error.message, { cause: error })
        }
        this.#log.warn(
          { err: error, tries, todo: 'see whether PDS_DID_PLC_URL is right and the directory answers' },
          'waiting for the PLC directory',
        )
        await pause(retryDelay(tries), signal)
      }
    }
  }

  #accept(event: CommitEvent | SyncEvent, opened: OpenedEvent): Prepared {
    const { counts, trusted } = this.#options
    if (trusted) counts.trusted++
    else counts.verified++
    return event.kind === 'commit' ? this.#commitChange(event, opened) : syncChange(event, opened)
  }

  #refuse(error: unknown, did: string, seq: number, signal: AbortSignal): Prepared {
    const { counts, endpoint } = this.#options
    if (!signal.aborted) counts.fault(faultOf(error), { endpoint, did, seq }, error)
    return 'passedOver'
  }

  #commitChange(event: CommitEvent, { commit, blocks }: OpenedEvent): CommitChange {
    const { endpoint, counts, serviceDid } = this.#options
    const { repo: did, rev, since, prevData, seq } = event
    const seenAt = timeOf(event.time)
    const changes: CommitChange['changes'] = []
    for (const op of event.ops) {
      counts.ops[op.action]++
      const change = changeOf(
        op,
        (cid) => blocks.get(cid)!,
        { did, seenAt, serviceDid },
        (fault) => counts.fault(fault.fault, { endpoint, did, seq, path: op.path }, fault),
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
}

/**
 * When the network saw an event, but not later than now: the event's own time, so that reading it
 * again later makes the same rows.
 */
export function timeOf(time: string): number {
  const now = Date.now()
  return Math.min(Date.parse(time) || now, now)
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
