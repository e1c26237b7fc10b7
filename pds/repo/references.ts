/** The blobs that a decoded record refers to, whatever its lexicon says of them. https://atproto.com/specs/data-model#blob-type */
import { type CborObject, type CborValue, isLink, isMap } from '#protocol/cbor.ts'
import { type Cid, InvalidCidError, linkToCid, parseCid } from '#protocol/cid.ts'

/** Each blob once, those named in the form of old times (`{cid, mimeType}`) among them. */
export function blobsOf(record: CborValue): Cid[] {
  const found = new Set<Cid>()
  const visit = (value: CborValue): void => {
    if (typeof value !== 'object' || value === null) return
    if (Array.isArray(value)) {
      for (const item of value) visit(item)
    } else if (isMap(value)) {
      const cid = blobOf(value)
      if (cid !== undefined) found.add(cid)
      else for (const key in value) visit(value[key] as CborValue)
    }
  }
  visit(record)
  return [...found]
}

function blobOf(map: CborObject): Cid | undefined {
  const { $type, mimeType, size, ref, cid } = map
  if (typeof mimeType !== 'string') return undefined
  const fields = Object.keys(map).length
  try {
    if ($type === 'blob' && fields === 4 && typeof size === 'number' && size >= -1 && isLink(ref)) {
      return mimeType.includes('/') ? linkToCid(ref) : undefined
    }
    if (fields === 2 && typeof cid === 'string' && mimeType !== '') return parseCid(cid)
  } catch (error) {
    if (!(error instanceof InvalidCidError)) throw error
  }
  return undefined
}
