/**
 * What the index keeps of records: which collections, and which of their fields. Fields that are
 * used are checked here; a record that lacks one is malformed, and what it carries besides is
 * ignored.
 */
import { isValidDid } from '@atproto/syntax'
import { CborError, type CborObject, type CborValue, decode, isMap } from '#protocol/cbor.ts'
import type { Cid } from '#protocol/cid.ts'
import type { RepoOp } from '#protocol/frame.ts'
import { ALGORITHM_NSID } from '../algorithm/definition.ts'
import type { Change, NewRecords } from '../index/writer.ts'
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
  record: CborObject
  /** The record's DAG-CBOR. */
  bytes: Uint8Array
}

type Table = Change['table']

/**
 * A collection that is indexed: its table, and the row of a record. Null when the record is none of
 * ours.
 */
interface Collection<T extends Table> {
  table: T
  row(found: Found): NewRecords[T] | null
  /** The only record key that counts. */
  rkey?: string
}

const collections = new Map<string, Collection<Table>>([
  ['app.bsky.feed.post', { table: 'posts', row: postRow }],
  ['app.bsky.feed.like', { table: 'likes', row: likeRow }],
  ['app.bsky.feed.repost', { table: 'reposts', row: repostRow }],
  ['app.bsky.feed.generator', { table: 'generators', row: generatorRow }],
  ['app.bsky.graph.follow', { table: 'follows', row: accountRow }],
  ['app.bsky.graph.block', { table: 'blocks', row: accountRow }],
  ['app.bsky.graph.list', { table: 'lists', row: listRow }],
  ['app.bsky.graph.listitem', { table: 'list_items', row: listItemRow }],
  ['app.bsky.graph.listblock', { table: 'list_blocks', row: listBlockRow }],
  ['app.bsky.graph.starterpack', { table: 'starter_packs', row: starterPackRow }],
  ['app.bsky.actor.profile', { table: 'profiles', row: profileRow, rkey: 'self' }],
  [ALGORITHM_NSID, { table: 'definitions', row: ({ bytes }) => ({ record: own(bytes) }) }],
])

/** The collections that are indexed. */
export const collectionsIndexed: readonly string[] = [...collections.keys()]

const uriCharactersMax = 2048
const listNameCharactersMax = 256
const NO_UNAUTHENTICATED = '!no-unauthenticated'

/**
 * What an op changes in the index; null when its collection is not indexed. A record that is
 * malformed changes it too: what stood there before is gone, and `fault` gets the reason.
 * @param block gives the bytes of a record, or throws an {@link EventFault}
 */
export function changeOf(
  op: Pick<RepoOp, 'path' | 'cid'>,
  block: (cid: Cid) => Uint8Array,
  context: RecordContext,
  fault: (reason: EventFault) => void,
): Change | null {
  const slash = op.path.indexOf('/')
  const type = op.path.slice(0, slash)
  const collection = collections.get(type)
  if (!collection || (collection.rkey !== undefined && op.path.slice(slash + 1) !== collection.rkey))
    return null
  let row: NewRecords[Table] | null = null
  if (op.cid !== null) {
    try {
      const bytes = block(op.cid)
      row = collection.row({ ...context, record: readRecord(bytes, type), bytes })
    } catch (error) {
      if (!(error instanceof EventFault)) throw error
      fault(error)
    }
  }
  return { table: collection.table, uri: `at://${context.did}/${op.path}`, row } as Change
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

function postRow({ seenAt, record, bytes }: Found): NewRecords['posts'] {
  if (typeof record.text !== 'string') throw malformed('a post without text')
  const reply = record.reply === undefined ? null : map(record.reply, 'reply')
  return {
    sort_at: sortTime(record.createdAt, seenAt),
    seen_at: seenAt,
    reply_root: reply && subjectUri(reply.root),
    reply_parent: reply && subjectUri(reply.parent),
    quote: quoteOf(record.embed),
    record: own(bytes),
  }
}

/** The record that a post shows, alone or beside pictures. */
function quoteOf(embed: CborValue | undefined): string | null {
  if (embed === undefined || !isMap(embed)) return null
  if (embed.$type === 'app.bsky.embed.record') return subjectUri(embed.record)
  if (embed.$type === 'app.bsky.embed.recordWithMedia') return subjectUri(map(embed.record, 'embed').record)
  return null
}

function likeRow({ record }: Found): NewRecords['likes'] {
  return { subject: subjectUri(record.subject) }
}

function repostRow({ seenAt, record }: Found): NewRecords['reposts'] {
  return { subject: subjectUri(record.subject), sort_at: sortTime(record.createdAt, seenAt) }
}

function generatorRow({ serviceDid, record }: Found): NewRecords['generators'] | null {
  return record.did === serviceDid ? {} : null
}

/** A follow or a block. */
function accountRow({ record }: Found): NewRecords['follows'] {
  return { subject: did(record.subject) }
}

function listRow({ record }: Found): NewRecords['lists'] {
  const { purpose, name } = record
  if (typeof purpose !== 'string' || typeof name !== 'string')
    throw malformed('a list without a purpose or a name')
  return { purpose, name: shortened(name, listNameCharactersMax) }
}

function listItemRow({ record }: Found): NewRecords['list_items'] {
  return { list: uri(record.list), subject: did(record.subject) }
}

function listBlockRow({ record }: Found): NewRecords['list_blocks'] {
  return { list: uri(record.subject) }
}

function starterPackRow({ record }: Found): NewRecords['starter_packs'] {
  return { list: uri(record.list) }
}

function profileRow({ seenAt, record }: Found): NewRecords['profiles'] {
  const { labels } = record
  const values = labels !== undefined && isMap(labels) && Array.isArray(labels.values) ? labels.values : []
  return {
    no_unauthenticated: values.some((label) => isMap(label) && label.val === NO_UNAUTHENTICATED),
    looked_at: seenAt,
  }
}

/** The URI in a strong reference. */
function subjectUri(value: CborValue | undefined): string {
  return uri(map(value, 'subject').uri)
}

function uri(value: CborValue | undefined): string {
  if (typeof value !== 'string' || !value.startsWith('at://') || value.length > uriCharactersMax)
    throw malformed('a reference without an at:// URI')
  return value
}

function did(value: CborValue | undefined): string {
  if (typeof value !== 'string' || !isValidDid(value))
    throw malformed('a reference to something that is no DID')
  return value
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

/** The beginning of a text, without half a character at its end. */
function shortened(text: string, charactersMax: number): string {
  return text.length <= charactersMax ? text : text.slice(0, charactersMax).replace(/[\uD800-\uDBFF]$/, '')
}

/** A copy: a block may be a view of a whole event. */
function own(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(bytes)
}

function malformed(message: string): EventFault {
  return new EventFault('malformed-record', message)
}
