/**
 * Jetstream: what happens in repositories as JSON, without signatures, so its word is taken for it.
 * Two forms of the same stream: `/subscribe`, whose cursor is a time in microseconds, and
 * `network.bsky.jetstream.subscribeEvents`, whose cursor is a sequence number and which sends
 * compressed messages to whoever asks with the dictionary that the server itself hands out.
 * https://github.com/bluesky-social/jetstream
 */
import { isValidDid } from '@atproto/syntax'
import type { Fetch } from '#platform/fetch.ts'
import { type Logger, logger } from '#platform/log.ts'
import { encode } from '#protocol/cbor.ts'
import { type Cid, cidForCbor, formatCid, InvalidCidError, parseCid } from '#protocol/cid.ts'
import { JsonError, jsonToValue } from '#protocol/json.ts'
import { isValidKey } from '#protocol/mst/key.ts'
import type { AuthorKeys } from '../identity/identity-cache.ts'
import type { IndexEvent } from '../index/writer.ts'
import { type Counts, EventFault } from './counts.ts'
import { Dictionary } from './dictionary.ts'
import { changeOf, collectionsIndexed } from './records.ts'
import type { Address, From, Prepared, Reading, Refusal, Stream } from './stream.ts'
import { timeOf } from './subscribe-repos.ts'
import { checkRev, openSync } from './verify.ts'

export interface JetstreamOptions {
  /** The URL, which says by its path which form of the stream it is. */
  endpoint: string
  /** Feed records count when they name this service. */
  serviceDid: string
  keys: Pick<AuthorKeys, 'forget'>
  counts: Counts
  /** Fetches the dictionary. */
  fetch: Fetch
}

const EVENTS = 'network.bsky.jetstream.subscribeEvents'
const EVENTS_PATH = `/xrpc/${EVENTS}`
const PLAIN_PATH = '/subscribe'

/**
 * A time in microseconds long before any event, from which on both forms understand a cursor as a
 * time.
 */
const oldestMicros = 1e15
/** A record of 1 MB, in JSON, and what is said of it. */
const messageCharactersMax = 8_000_000

/** Whether a URL is one of Jetstream's. */
export function isJetstream(endpoint: string): boolean {
  const { pathname } = new URL(endpoint)
  return pathname === PLAIN_PATH || pathname === EVENTS_PATH
}

type Json = { [key: string]: unknown }

/** What either form of the stream says. */
interface JetstreamEvent {
  kind: string
  cursor: number
  did: string
  /** When the network saw it. */
  time: string
  /** The part about a commit, an account, ... */
  about: Json
}

export class JetstreamStream implements Stream {
  readonly #options: JetstreamOptions
  readonly #log: Logger = logger('firehose')
  readonly #isPlain: boolean
  readonly #dictionary: Dictionary

  constructor(options: JetstreamOptions) {
    this.#options = options
    this.#isPlain = new URL(options.endpoint).pathname === PLAIN_PATH
    this.#dictionary = new Dictionary(options.endpoint, options.fetch)
  }

  get name(): string {
    return this.#options.endpoint
  }

  async address(from: From, signal: AbortSignal): Promise<Address> {
    const url = new URL(this.#options.endpoint)
    const parameter = this.#isPlain ? 'wantedCollections' : 'collections'
    for (const collection of collectionsIndexed) url.searchParams.append(parameter, collection)
    if (from !== 'live') url.searchParams.set('cursor', String(from === 'oldest' ? oldestMicros : from))
    if (this.#isPlain) return { url: url.href }
    const dictionary = await this.#dictionary.id(signal)
    if (dictionary !== undefined) url.searchParams.set('zstdDictionary', String(dictionary))
    return { url: url.href, protocols: ['xrpc.v1.json'] }
  }

  refused({ body }: Refusal): 'wrongCursor' | undefined {
    const { error } = parse(body) ?? {}
    if (error === 'UnknownZstdDictionary') this.#dictionary.forget()
    return error === 'CursorTooOld' ? 'wrongCursor' : undefined
  }

  oversized(reason: string): void {
    const { endpoint, counts } = this.#options
    counts.fault('oversized', { endpoint }, reason)
  }

  read(message: Buffer | string): Reading {
    const { endpoint, counts } = this.#options
    try {
      const text = typeof message === 'string' ? message : this.#dictionary.decompress(message)
      if (text.length > messageCharactersMax)
        throw new EventFault('oversized', `a message of ${text.length} characters`)
      const json = parse(text)
      if (!json) throw new EventFault('malformed-frame', 'a message that is not JSON')
      const event = this.#isPlain ? readPlain(json) : this.#readFrame(json)
      if (event === null) return 'nothing'
      return { seq: event.cursor, bytes: text.length, prepared: this.#prepare(event) }
    } catch (error) {
      counts.fault(faultOf(error), { endpoint }, error)
      return 'nothing'
    }
  }

  /** The event in a frame; null for a word about the stream itself. */
  #readFrame(frame: Json): JetstreamEvent | null {
    const { endpoint, counts } = this.#options
    const { $type, payload } = frame
    if ($type === 'error') {
      counts.events.error++
      this.#log.warn(
        {
          endpoint,
          error: frame.error,
          message: frame.message,
          todo: 'see what the endpoint says, and whether FEEDGEN_SUBSCRIPTION_ENDPOINT is right',
        },
        'the endpoint refuses',
      )
      return null
    }
    if (typeof $type !== 'string') throw new EventFault('malformed-frame', 'a frame without a type')
    // What a newer server may say besides is nothing to us.
    if ($type !== 'message') return null
    const said = isObject(payload) ? payload : {}
    if (typeof said.$type !== 'string') throw new EventFault('malformed-frame', 'a message without a type')
    const kind = said.$type.slice(said.$type.indexOf('#') + 1)
    if (kind === 'info') {
      counts.events.info++
      this.#log.info({ endpoint, name: said.name, message: said.message }, 'the endpoint says')
      return null
    }
    const { seq, did, time, witnessedAt } = said
    const about = kind === 'commit' ? said : said[kind]
    return event({ kind, cursor: seq, did, time: witnessedAt ?? time, about: about ?? {} })
  }

  #prepare({ kind, did, time, about, cursor: seq }: JetstreamEvent): Prepared {
    const { endpoint, counts, keys } = this.#options
    try {
      switch (kind) {
        case 'commit':
          counts.events.commit++
          counts.trusted++
          return this.#commit(did, timeOf(time), about, seq)
        case 'account': {
          counts.events.account++
          const { active, status } = about
          if (typeof active !== 'boolean')
            throw new EventFault('malformed-frame', 'an account without a state')
          return { kind: 'account', did, active, status: typeof status === 'string' ? status : undefined }
        }
        case 'identity':
          counts.events.identity++
          keys.forget(did)
          return null
        case 'sync':
          counts.events.sync++
          return this.#sync(did, about)
        default:
          counts.events.unknown++
          return null
      }
    } catch (error) {
      counts.fault(faultOf(error), { endpoint, did, seq }, error)
      return 'passedOver'
    }
  }

  #sync(did: string, about: Json): IndexEvent {
    const { rev, blocks } = about
    const bytes = isObject(blocks) ? blocks.$bytes : blocks
    if (typeof rev !== 'string' || typeof bytes !== 'string')
      throw new EventFault('malformed-frame', 'a sync without its blocks')
    const { commit } = openSync({ did, rev, blocks: Buffer.from(bytes, 'base64') })
    return { kind: 'sync', did, rev, data: formatCid(commit.data) }
  }

  #commit(did: string, seenAt: number, about: Json, seq: number): IndexEvent {
    const { endpoint, counts, serviceDid } = this.#options
    const rev = revOf(about)
    const { operation: action, collection, rkey, cid, record } = about
    if (action !== 'create' && action !== 'update' && action !== 'delete')
      throw new EventFault('malformed-frame', 'a commit of an unknown operation')
    const path = `${collection}/${rkey}`
    if (!isValidKey(path)) throw new EventFault('malformed-frame', 'a commit of something that is no record')
    counts.ops[action]++
    const change = changeOf(
      { path, cid: action === 'delete' ? null : readCid(cid) },
      (named) => blockOf(record, named),
      { did, seenAt, serviceDid },
      (fault) => counts.fault(fault.fault, { endpoint, did, seq, path }, fault),
    )
    return { kind: 'commit', did, rev, changes: change ? [change] : [] }
  }
}

function readPlain(json: Json): JetstreamEvent {
  const { kind, did, time_us: micros } = json
  const about = typeof kind === 'string' ? (json[kind] ?? {}) : {}
  const time = Number.isSafeInteger(micros) ? new Date((micros as number) / 1000).toISOString() : ''
  return event({ kind, cursor: micros, did, time, about })
}

function event({ kind, cursor, did, time, about }: { [F in keyof JetstreamEvent]: unknown }): JetstreamEvent {
  if (typeof kind !== 'string' || !Number.isSafeInteger(cursor) || !isObject(about))
    throw new EventFault('malformed-frame', 'an event without a kind or a cursor')
  if (typeof did !== 'string' || !isValidDid(did))
    throw new EventFault('malformed-frame', 'an event of something that is no DID')
  return { kind, cursor: cursor as number, did, time: typeof time === 'string' ? time : '', about }
}

function revOf({ rev }: Json): string {
  if (typeof rev !== 'string') throw new EventFault('wrong-rev', 'no revision')
  checkRev(rev)
  return rev
}

function readCid(text: unknown): Cid {
  try {
    if (typeof text === 'string') return parseCid(text)
  } catch (error) {
    if (!(error instanceof InvalidCidError)) throw error
  }
  throw new EventFault('malformed-frame', 'a record without its CID')
}

/** The record as its author's repository holds it, which its CID shows. */
function blockOf(record: unknown, cid: Cid): Uint8Array {
  try {
    const block = encode(jsonToValue(record))
    if (cidForCbor(block) === cid) return block
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
    throw new EventFault('malformed-record', error.message, { cause: error })
  }
  throw new EventFault('malformed-blocks', 'a record that is not what its CID names')
}

function parse(text: string): Json | undefined {
  try {
    const json = JSON.parse(text)
    return isObject(json) ? json : undefined
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function faultOf(error: unknown): EventFault['fault'] {
  return error instanceof EventFault ? error.fault : 'internal'
}
