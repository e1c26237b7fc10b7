/**
 * The blobs that a decoded record refers to, whatever its lexicon says of them.
 * https://atproto.com/specs/data-model#blob-type
 */
import { type CborObject, type CborValue, isMap } from '#protocol/cbor.ts'
import { type Cid, InvalidCidError, linkToCid, parseCid } from '#protocol/cid.ts'
import { isLink } from '#protocol/link.ts'

/** Each blob once, those named in the form of old times (`{cid, mimeType}`) among them. */
export function blobsOf(record: CborValue): Cid[] {
  return [...typesOf(record).keys()]
}

/**
 * The type that a record gives a blob; undefined when it refers to no such blob, or gives no type.
 */
export function typeInRecord(record: CborValue, cid: Cid): string | undefined {
  const type = typesOf(record).get(cid)
  return type === undefined || saysNothing(type) ? undefined : type
}

/** https://www.rfc-editor.org/rfc/rfc6838#section-4.2; a wildcard is no type. */
const MIME_TYPE = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}(?:\s*;[ -~]{0,200})?$/i

/**
 * Generic binary, which tools send by default, and forms, which earlier versions stored as sent.
 */
const NO_TYPE = /^(?:application\/(?:octet-stream|x-www-form-urlencoded)\b|multipart\/)/i

/**
 * Whether a content type says nothing of the bytes: a wildcard, a type of anything, or no type at
 * all.
 */
export function saysNothing(type: string): boolean {
  return !MIME_TYPE.test(type) || NO_TYPE.test(type)
}

/** Blobs and the type that the record gives each first. */
function typesOf(record: CborValue): Map<Cid, string> {
  const found = new Map<Cid, string>()
  const visit = (value: CborValue): void => {
    if (typeof value !== 'object' || value === null) return
    if (Array.isArray(value)) {
      for (const item of value) visit(item)
    } else if (isMap(value)) {
      const blob = blobOf(value)
      if (blob === undefined) for (const key in value) visit(value[key] as CborValue)
      else if (!found.has(blob.cid)) found.set(blob.cid, blob.mimeType)
    }
  }
  visit(record)
  return found
}

function blobOf(map: CborObject): { cid: Cid; mimeType: string } | undefined {
  const { $type, mimeType, size, ref, cid } = map
  if (typeof mimeType !== 'string') return undefined
  const fields = Object.keys(map).length
  try {
    if ($type === 'blob' && fields === 4 && typeof size === 'number' && size >= -1 && isLink(ref)) {
      return mimeType.includes('/') ? { cid: linkToCid(ref), mimeType } : undefined
    }
    if (fields === 2 && typeof cid === 'string' && mimeType !== '') return { cid: parseCid(cid), mimeType }
  } catch (error) {
    if (!(error instanceof InvalidCidError)) throw error
  }
  return undefined
}
