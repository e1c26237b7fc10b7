/**
 * What the index keeps of records: which collections, and which of their fields. Fields that are used are checked here; a record
 * that lacks one is malformed, and what it carries besides is nobody's concern.
 */
import { isValidDid } from '@atproto/syntax'
import { CborError, type CborObject, type CborValue, decode, isMap } from '#protocol/cbor.ts'
import { type Cid, formatCid } from '#protocol/cid.ts'
import type { RepoOp } from '#protocol/frame.ts'
import type { Change } from '../index/writer.ts'
import { EventFault } from './counts.ts'

/** Where and when a record was found. */
export interface RecordContext {
  did: string
  /** When the network saw it, in milliseconds since 1970. */
  seenAt: number
  /** Feed records count when they name this service. */
  serviceDid: string
}

interface Found extends RecordContext {
  uri: string
  rkey: string
  cid: Cid
  record: CborObject
}

type Table = Change['table']
type RowOf<T extends Table> = NonNullable<Extract<Change, { table: T }>['row']>

/** A collection that is indexed: its table, and the row of a record. Null when the record is none of ours. */
interface Collection<T extends Table> {
  table: T
  row(found: Found): RowOf<T> | null
}

const collections = new Map<string, Collection<Table>>([
  ['app.bsky.feed.post', { table: 'posts', row: postRow }],
  ['app.bsky.feed.like', { table: 'likes', row: likeRow }],
  ['app.bsky.feed.repost', { table: 'reposts', row: repostRow }],
  ['app.bsky.graph.follow', { table: 'follows', row: followRow }],
  ['app.bsky.feed.generator', { table: 'generators', row: generatorRow }],
])

const uriCharactersMax = 2048

/**
 * What an op changes in the index; null when its collection is not indexed. A record that is malformed changes it too: what stood there
 * before is gone, and `fault` gets the reason.
 */
export function changeOf(
  op: RepoOp,
  blocks: Map<Cid, Uint8Array>,
  context: RecordContext,
  fault: (reason: EventFault) => void,
): Change | null {
  const slash = op.path.indexOf('/')
  const type = op.path.slice(0, slash)
  const collection = collections.get(type)
  if (!collection) return null
  const uri = `at://${context.did}/${op.path}`
  let row: RowOf<Table> | null = null
  if (op.cid !== null) {
    try {
      const record = readRecord(blocks.get(op.cid)!, type)
      row = collection.row({ ...context, uri, rkey: op.path.slice(slash + 1), cid: op.cid, record })
    } catch (error) {
      if (!(error instanceof EventFault)) throw error
      fault(error)
    }
  }
  return { table: collection.table, uri, row } as Change
}

function readRecord(block: Uint8Array, type: string): CborObject {
  let record: CborValue
  try {
    record = decode(block)
  } catch (error) {
    if (error instanceof CborError) throw malformed(error.message)
    throw error
  }
  if (!isMap(record) || record.$type !== type) throw malformed(`a record that is no ${type}`)
  return record
}

function postRow({ uri, cid, did, seenAt, record }: Found): RowOf<'posts'> {
  if (typeof record.text !== 'string') throw malformed('a post without text')
  const reply = record.reply === undefined ? null : map(record.reply, 'reply')
  return {
    uri,
    cid: formatCid(cid),
    author: did,
    sort_at: sortTime(record.createdAt, seenAt),
    seen_at: seenAt,
    reply_root: reply && subjectUri(reply.root),
    reply_parent: reply && subjectUri(reply.parent),
    quote: quoteOf(record.embed),
  }
}

/** The record that a post shows, alone or beside pictures. */
function quoteOf(embed: CborValue | undefined): string | null {
  if (embed === undefined || !isMap(embed)) return null
  if (embed.$type === 'app.bsky.embed.record') return subjectUri(embed.record)
  if (embed.$type === 'app.bsky.embed.recordWithMedia') return subjectUri(map(embed.record, 'embed').record)
  return null
}

function likeRow({ uri, did, record }: Found): RowOf<'likes'> {
  return { uri, author: did, subject: subjectUri(record.subject) }
}

function repostRow({ uri, did, seenAt, record }: Found): RowOf<'reposts'> {
  return {
    uri,
    author: did,
    subject: subjectUri(record.subject),
    sort_at: sortTime(record.createdAt, seenAt),
  }
}

function followRow({ uri, did, record }: Found): RowOf<'follows'> {
  const { subject } = record
  if (typeof subject !== 'string' || !isValidDid(subject))
    throw malformed('a follow of something that is no DID')
  return { uri, author: did, subject }
}

function generatorRow({ uri, did, rkey, serviceDid, record }: Found): RowOf<'generators'> | null {
  return record.did === serviceDid ? { uri, author: did, rkey } : null
}

/** The URI in a strong reference. */
function subjectUri(value: CborValue | undefined): string {
  const { uri } = map(value, 'subject')
  if (typeof uri !== 'string' || !uri.startsWith('at://') || uri.length > uriCharactersMax) {
    throw malformed('a reference without an at:// URI')
  }
  return uri
}

const DATE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,20})?(Z|[+-]\d\d:\d\d)$/

/** When a record says that it was made, but not later than it was seen. */
function sortTime(createdAt: CborValue | undefined, seenAt: number): number {
  const time = typeof createdAt === 'string' && DATE_TIME.test(createdAt) ? Date.parse(createdAt) : Number.NaN
  if (Number.isNaN(time)) throw malformed('a createdAt that is no date and time')
  return Math.min(time, seenAt)
}

function map(value: CborValue | undefined, field: string): CborObject {
  if (value === undefined || !isMap(value)) throw malformed(`${field} is not an object`)
  return value
}

function malformed(message: string): EventFault {
  return new EventFault('malformed-record', message)
}
