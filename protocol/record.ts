/**
 * Records as they lie in repositories. What is written here is canonical DAG-CBOR (cbor.ts). A
 * repository that moved in holds what other hosts let pass as well: integers beyond 2^53, floats,
 * keys in another order. Such a record is kept byte for byte, because the tree names it by its
 * hash, and is read as `@atproto/pds` reads it, by the same library.
 */
import { decode as decodeTolerantly } from '@atproto/lex-cbor'
import { CborError, type CborValue, decode } from './cbor.ts'
import { cborToJsonText, valueToJson } from './json.ts'

/** How deep a record may nest: far above any lexicon's need, and within what a stack bears. */
export const RECORD_DEPTH_MAX = 1024

/** https://tc39.es/proposal-json-parse-with-source/#sec-json.rawjson, which has no types yet. */
const { rawJSON: rawJson } = JSON as unknown as { rawJSON(text: string): object }

/**
 * The value of a record's block. An integer beyond 2^53 - 1 is a `bigint`; a key `__proto__` is
 * omitted.
 * @throws CborError when it cannot be decoded at all
 */
export function decodeRecord(block: Uint8Array): CborValue {
  try {
    return decode(block, RECORD_DEPTH_MAX)
  } catch (error) {
    if (!(error instanceof CborError)) throw error
    return decodeOdd(block, error)
  }
}

/**
 * The JSON text of a record's block: every integer with all its digits, and `undefined` as null.
 * @throws CborError as `decodeRecord` does
 */
export function recordToJsonText(block: Uint8Array): string {
  try {
    return cborToJsonText(block, RECORD_DEPTH_MAX)
  } catch (error) {
    if (!(error instanceof CborError)) throw error
    return JSON.stringify(valueToJson(decodeOdd(block, error)), (_, value: unknown) =>
      typeof value === 'bigint' ? rawJson(value.toString()) : value,
    )
  }
}

/** @param fault what is wrong with it for a strict reader */
function decodeOdd(block: Uint8Array, fault: CborError): CborValue {
  // The library calls itself for each level.
  if (isDeeper(block, RECORD_DEPTH_MAX)) throw new CborError(`nested deeper than ${RECORD_DEPTH_MAX}`)
  try {
    return decodeTolerantly(block) as CborValue
  } catch (cause) {
    throw new CborError(fault.message, { cause })
  }
}

/**
 * Whether the CBOR item that bytes begin with nests deeper than this. What is no CBOR is left to
 * the decoder.
 */
export function isDeeper(bytes: Uint8Array, levels: number): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  /** For each item that is open, how many are still to come inside it. */
  const open: number[] = []
  for (let at = 0; at < bytes.length; ) {
    const first = view.getUint8(at++)
    const major = first >> 5
    let n = first & 0x1f
    if (n > 27) return false
    if (n >= 24) {
      const width = 1 << (n - 24)
      if (at + width > bytes.length) return false
      if (width === 1) n = view.getUint8(at)
      else if (width === 2) n = view.getUint16(at)
      else if (width === 4) n = view.getUint32(at)
      else n = Number(view.getBigUint64(at))
      at += width
    }
    if (major === 2 || major === 3) at += n
    if (major >= 4 && major <= 6) {
      // A tag, which a link is, stands inside the last level.
      if (open.length >= levels + (major === 6 ? 1 : 0)) return true
      const inside = major === 4 ? n : major === 5 ? n * 2 : 1
      if (inside > 0) {
        open.push(inside)
        continue
      }
    }
    for (let last = open.length - 1; last >= 0 && --(open[last] as number) === 0; last--) open.pop()
    if (open.length === 0) return false
  }
  return false
}
