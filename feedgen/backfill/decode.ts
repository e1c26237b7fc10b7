import { type CborObject, decode, isMap } from '#protocol/cbor.ts'

/**
 * The record in a block that was checked to be DAG-CBOR; a record without fields for what is none.
 */
export function decodeRecord(block: Uint8Array): CborObject {
  const value = decode(block)
  return isMap(value) ? value : {}
}
