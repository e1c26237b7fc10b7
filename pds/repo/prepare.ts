/**
 * Prepares writes: types, keys, lexicon, data model and blobs are checked, and records encoded,
 * before any transaction begins.
 */

import { isLegacyBlobRef, isTypedBlobRef } from '@atproto/lex-data'
import { ensureValidAtUri, isValidDid, isValidNsid, isValidRecordKey } from '@atproto/syntax'
import { DomainError } from '#platform/errors.ts'
import { recordSchema } from '#platform/lexicons.ts'
import { CborError, type CborValue, encode, isMap } from '#protocol/cbor.ts'
import { type Cid, cidForCbor, InvalidCidError, linkToCid } from '#protocol/cid.ts'
import { decodeRecord, RECORD_DEPTH_MAX } from '#protocol/record.ts'
import { TidClock } from '#protocol/tid.ts'
import type { NewRecord } from '../store/records.ts'
import { badBlobReference } from './errors.ts'

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
  /** The record as the lexicon library reads JSON: links are CIDs, bytes are `Uint8Array`s. */
  readonly record: Record<string, unknown>
  /** true: refuse what cannot be checked; false: check nothing; left out: check what is known. */
  readonly validate?: boolean
  /** Where the record stands in what the caller sent, for messages. */
  readonly path?: readonly (string | number)[]
  /**
   * The block of the record that this one takes the place of. What misuses the names of the data
   * model there, because another host let it pass, may stay as it is: a record that is here can be
   * edited.
   */
  readonly present?: () => Uint8Array | undefined
}

const clock = new TidClock()

/**
 * Checks a record and encodes it.
 * @throws DomainError
 */
export function prepareRecord({
  collection,
  rkey = clock.next(),
  record: given,
  validate,
  path = ['record'],
  present,
}: RecordInput): PreparedRecord {
  const record = given.$type === undefined ? { ...given, $type: collection } : given
  if (record.$type !== collection) {
    throw new DomainError(
      'invalid',
      `Invalid $type: expected ${collection}, got ${String(given.$type).slice(0, 300)}`,
    )
  }
  if (!isValidNsid(collection))
    throw new DomainError('invalid', `Invalid collection: ${String(collection).slice(0, 300)}`)
  if (!isValidRecordKey(rkey))
    throw new DomainError('invalid', `Invalid record key: ${String(rkey).slice(0, 512)}`)
  const blobs = findBlobs(record, path, misusesIn(present))
  const validationStatus =
    validate === false ? undefined : check(collection, rkey, record, validate === true, path)
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

/** Validates a record and its key against its lexicon; an unknown one passes unless `required`. */
function check(
  collection: string,
  rkey: string,
  record: Record<string, unknown>,
  required: boolean,
  path: readonly (string | number)[],
): 'valid' | 'unknown' {
  const schema = recordSchema(collection)
  if (schema === undefined) {
    if (required) throw new DomainError('invalid', `Unknown lexicon type: ${collection}`)
    return 'unknown'
  }
  const key = schema.keySchema.safeValidate(rkey)
  if (!key.success) {
    throw new DomainError('invalid', `Invalid record key for ${collection}: ${key.reason.message}`)
  }
  const body = schema.safeValidate(record, { path: [...path] })
  if (!body.success) throw new DomainError('invalid', `Invalid ${collection} record: ${body.reason.message}`)
  return 'valid'
}

function encodeRecord(record: Record<string, unknown>): Buffer {
  try {
    return encode(record, RECORD_DEPTH_MAX)
  } catch (error) {
    if (error instanceof CborError || error instanceof InvalidCidError) {
      throw new DomainError('invalid', `Invalid record: ${error.message}`)
    }
    throw error
  }
}

/**
 * The blobs that a record refers to. Walks the whole record, and so also rejects what the data
 * model lacks: what would be stored differently from what was sent, or could not be read as
 * intended.
 * @param at the record's path in the input
 * @throws DomainError
 */
function findBlobs(
  record: unknown,
  at: readonly (string | number)[],
  isThere: (misuse: object) => boolean,
): BlobReference[] {
  const search: Search = { found: [], isThere }
  try {
    visit(record, 0, search)
    return search.found
  } catch (error) {
    if (!(error instanceof Misuse)) throw error
    throw new DomainError(
      'invalid',
      `Invalid record at ${pathText([...at, ...error.path])}: ${error.message}`,
    )
  }
}

/** A value that the data model does not have. */
class Misuse extends Error {
  /**
   * From the record to the value: found on the way back, so that values without fault cost nothing.
   */
  readonly path: (string | number)[] = []
}

interface Search {
  readonly found: BlobReference[]
  /** Whether the present record misuses the names of the data model in the same way. */
  readonly isThere: (misuse: object) => boolean
}

/** @throws Misuse, DomainError */
function visit(value: unknown, depth: number, search: Search): void {
  if (typeof value === 'string' && !value.isWellFormed()) throw new Misuse('half a surrogate pair')
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return
  if (depth > RECORD_DEPTH_MAX)
    throw new DomainError('invalid', `Record nests deeper than ${RECORD_DEPTH_MAX} levels`)
  if (isTypedBlobRef(value, { strict: false })) {
    search.found.push({ cid: cidOfBlob(value.ref), mimeType: value.mimeType, size: value.size })
  } else if (isLegacyBlobRef(value)) {
    throw new DomainError('invalid', `Legacy blobs are not allowed (${value.cid})`)
  } else if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) visitIn(i, value[i], depth, search)
  } else if (!('asCID' in value)) {
    const misuse = misuseIn(value)
    if (misuse !== undefined && !search.isThere(value)) throw new Misuse(misuse)
    for (const key in value) {
      if (!key.isWellFormed()) throw new Misuse('half a surrogate pair in a key')
      visitIn(key, (value as Record<string, unknown>)[key], depth, search)
    }
  }
}

function visitIn(key: string | number, value: unknown, depth: number, search: Search): void {
  try {
    visit(value, depth + 1, search)
  } catch (error) {
    if (error instanceof Misuse) error.path.unshift(key)
    throw error
  }
}

/**
 * What is wrong with an object that uses a name of the data model; the library has read those that
 * it could as links, bytes and blobs.
 */
function misuseIn(value: object): string | undefined {
  if ('$link' in value) return '$link stands alone, with a CID as text'
  if ('$bytes' in value) return '$bytes stands alone, with base64 as text'
  if (!('$type' in value) || value.$type === undefined) return undefined
  if (typeof value.$type !== 'string' || value.$type === '') return '$type is a name'
  if (value.$type === 'blob') return 'a blob has a ref (a link), a mimeType and a size, and nothing else'
  return undefined
}

/** Tells whether the stored record has a given misuse of reserved names already. */
function misusesIn(present: RecordInput['present']): (misuse: object) => boolean {
  let known: Set<string> | undefined
  return (misuse) => {
    if (known === undefined) {
      known = new Set()
      const block = present?.()
      if (block !== undefined) addMisuses(decodeRecord(block), known)
    }
    // Most records have none.
    return known.size > 0 && known.has(signatureOf(misuse))
  }
}

function addMisuses(value: CborValue, found: Set<string>): void {
  if (Array.isArray(value)) {
    for (const item of value) addMisuses(item, found)
  } else if (isMap(value)) {
    if (misuseIn(value) !== undefined) found.add(signatureOf(value))
    for (const key of Object.keys(value)) addMisuses(value[key] as CborValue, found)
  }
}

/** What an object says under the names of the data model. */
function signatureOf(object: { $link?: unknown; $bytes?: unknown; $type?: unknown }): string {
  const said = [object.$link, object.$bytes, object.$type]
  return said.map((value) => `${typeof value} ${typeof value === 'object' ? '' : value}`).join('\n')
}

const PATH_CHARACTERS_MAX = 300

function pathText(place: readonly (string | number)[]): string {
  const text = place.map((key) => (typeof key === 'number' ? `[${key}]` : `.${key}`)).join('')
  return `$${text}`.slice(0, PATH_CHARACTERS_MAX).toWellFormed()
}

function cidOfBlob(ref: { readonly bytes: Uint8Array }): Cid {
  try {
    return linkToCid(ref)
  } catch (error) {
    if (!(error instanceof InvalidCidError)) throw error
    // No blob that was uploaded has such a CID.
    throw badBlobReference('BlobNotFound', `Could not find blob: ${ref}`)
  }
}

/** The subject of a like, repost, follow or block: a second one of the same replaces the first. */
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
