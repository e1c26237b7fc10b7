/**
 * From what a caller sent to what can be written: types, keys, lexicon, data model, blobs, all checked and encoded before any
 * transaction begins.
 */
import { schemas } from '@atproto/api'
import { BlobRef, Lexicons, type LexUserType, lexToIpld, ValidationError } from '@atproto/lexicon'
import { ensureValidAtUri, isValidDid, isValidNsid, isValidRecordKey, isValidTid } from '@atproto/syntax'
import { CborError, encode } from '#protocol/cbor.ts'
import { type Cid, cidForCbor, InvalidCidError, linkToCid } from '#protocol/cid.ts'
import { TidClock } from '#protocol/tid.ts'
import type { NewRecord } from '../store/records.ts'
import { checkBlobRules } from './blob-rules.ts'
import { InvalidRecordError } from './errors.ts'

/** What a record says of a blob. */
export interface BlobReference {
  readonly cid: Cid
  readonly mimeType: string
  readonly size: number
}

/** A record that may be written. */
export interface PreparedRecord extends NewRecord {
  readonly blobs: readonly BlobReference[]
  /** Whether it was checked against its lexicon; undefined when the caller asked not to. */
  readonly validationStatus: 'valid' | 'unknown' | undefined
}

export interface RecordInput {
  readonly collection: string
  /** Left out: a new TID. */
  readonly rkey?: string
  /** The record as the lexicon library reads JSON: links are CIDs, blobs are BlobRefs. */
  readonly record: Record<string, unknown>
  /** true: refuse what cannot be checked; false: check nothing; left out: check what is known. */
  readonly validate?: boolean
}

/** The official documents. */
export const lexicons = new Lexicons(schemas)
const clock = new TidClock()

/** How deep a record may nest: far above any lexicon's need, far below what a stack bears. */
const RECORD_DEPTH_MAX = 64

/**
 * Checks a record and encodes it.
 * @throws InvalidRecordError
 */
export function prepareRecord({
  collection,
  rkey = clock.next(),
  record: given,
  validate,
}: RecordInput): PreparedRecord {
  const record = given.$type === undefined ? { ...given, $type: collection } : given
  if (record.$type !== collection) {
    throw new InvalidRecordError(
      `Invalid $type: expected ${collection}, got ${String(given.$type).slice(0, 300)}`,
    )
  }
  if (!isValidNsid(collection))
    throw new InvalidRecordError(`Invalid collection: ${String(collection).slice(0, 300)}`)
  if (!isValidRecordKey(rkey))
    throw new InvalidRecordError(`Invalid record key: ${String(rkey).slice(0, 512)}`)
  const blobs = findBlobs(record)
  const validationStatus =
    validate === false
      ? undefined
      : check({ collection, rkey, record, hasBlobs: blobs.length > 0 }, validate === true)
  const block = encodeRecord(record)
  return {
    collection,
    rkey,
    block,
    blobs,
    validationStatus,
    cid: cidForCbor(block),
    subject: subjectOf(record),
  }
}

function check(
  {
    collection,
    rkey,
    record,
    hasBlobs,
  }: { collection: string; rkey: string; record: Record<string, unknown>; hasBlobs: boolean },
  required: boolean,
): 'valid' | 'unknown' {
  const definition = lexicons.getDef(collection)
  if (definition?.type !== 'record') {
    if (required) throw new InvalidRecordError(`Unknown lexicon type: ${collection}`)
    return 'unknown'
  }
  checkKey(collection, rkey, definition)
  try {
    lexicons.assertValidRecord(collection, record)
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error
    throw new InvalidRecordError(`Invalid ${collection} record: ${error.message}`)
  }
  if (hasBlobs) checkBlobRules(lexicons, collection, record)
  return 'valid'
}

/** Whether the key is of the kind that the lexicon asks for. https://atproto.com/specs/record-key */
function checkKey(
  collection: string,
  rkey: string,
  definition: Extract<LexUserType, { type: 'record' }>,
): void {
  const kind = definition.key ?? 'any'
  const fits =
    kind === 'tid'
      ? isValidTid(rkey)
      : kind === 'nsid'
        ? isValidNsid(rkey)
        : !kind.startsWith('literal:') || rkey === kind.slice('literal:'.length)
  if (!fits)
    throw new InvalidRecordError(`Invalid record key for ${collection}: expected ${kind}, got ${rkey}`)
}

function encodeRecord(record: Record<string, unknown>): Buffer {
  try {
    return encode(lexToIpld(record))
  } catch (error) {
    if (error instanceof CborError || error instanceof InvalidCidError) {
      throw new InvalidRecordError(`Invalid record: ${error.message}`)
    }
    throw error
  }
}

/** The blobs that a record refers to. */
function findBlobs(record: unknown): BlobReference[] {
  const found: BlobReference[] = []
  const visit = (value: unknown, depth: number): void => {
    if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return
    if (depth > RECORD_DEPTH_MAX)
      throw new InvalidRecordError(`Record nests deeper than ${RECORD_DEPTH_MAX} levels`)
    if (value instanceof BlobRef) {
      if (value.size < 0) throw new InvalidRecordError(`Legacy blobs are not allowed (${value.ref})`)
      found.push({ cid: cidOfBlob(value), mimeType: value.mimeType, size: value.size })
    } else if (Array.isArray(value)) {
      for (const item of value) visit(item, depth + 1)
    } else if (!('asCID' in value)) {
      for (const key in value) visit((value as Record<string, unknown>)[key], depth + 1)
    }
  }
  visit(record, 0)
  return found
}

function cidOfBlob(blob: BlobRef): Cid {
  try {
    return linkToCid(blob.ref)
  } catch (error) {
    if (!(error instanceof InvalidCidError)) throw error
    throw new InvalidRecordError(`Invalid blob reference: ${blob.ref}`)
  }
}

/** What a like, repost, follow or block points at: a second one at the same subject replaces the first. */
export function subjectOf(record: Record<string, unknown>): string | null {
  switch (record.$type) {
    case 'app.bsky.graph.follow':
    case 'app.bsky.graph.block':
      return typeof record.subject === 'string' && isValidDid(record.subject) ? record.subject : null
    case 'app.bsky.feed.like':
    case 'app.bsky.feed.repost': {
      const uri = (record.subject as { uri?: unknown } | undefined)?.uri
      return typeof uri === 'string' && isValidAtUri(uri) ? uri : null
    }
    default:
      return null
  }
}

function isValidAtUri(uri: string): boolean {
  try {
    ensureValidAtUri(uri)
    return true
  } catch {
    return false
  }
}
