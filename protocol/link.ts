/** Links of the data model: CIDs inside CBOR. */
import { CID } from 'multiformats/cid'
import { Digest } from 'multiformats/hashes/digest'
import { CborError } from './cbor-reader.ts'
import { CID_BYTES, type Cid } from './cid.ts'

/** A link to be encoded, from the `Cid` string; a `CID` object does as well and costs more. */
export class Link {
  readonly cid: Cid
  constructor(cid: Cid) {
    this.cid = cid
  }
}

/**
 * The link object of a CID's bytes. Records may hold links that the protocol itself never makes
 * (another codec or hash), and they are kept; `linkToCid` refuses them where a CID of the protocol
 * is needed.
 * @throws CborError when the bytes are no CID at all
 */
export function linkFromBytes(bytes: Uint8Array): CID {
  if (isProtocolCid(bytes)) {
    const digest = new Digest(0x12, 32, bytes.subarray(4), bytes.subarray(2))
    return new CID(1, bytes[1] as number, digest, bytes)
  }
  let link: CID
  try {
    link = CID.decode(bytes)
  } catch (cause) {
    throw new CborError('a link that is not a CID', { cause })
  }
  // Multiformats reads some bytes that it would not write.
  if (Buffer.compare(link.bytes, bytes) !== 0) throw new CborError('a link that is not a CID in its own form')
  return link
}

/** Whether the bytes are a CID as the protocol makes them: version 1, DAG-CBOR or raw, SHA-256. */
export function isProtocolCid(bytes: Uint8Array): boolean {
  return (
    bytes.length === CID_BYTES &&
    bytes[0] === 1 &&
    (bytes[1] === 0x71 || bytes[1] === 0x55) &&
    bytes[2] === 0x12 &&
    bytes[3] === 32
  )
}

/** Whether a value is a link: a `CID` of any version of multiformats. */
export function isLink(value: unknown): value is CID {
  const link = value as { asCID?: unknown; bytes?: unknown } | null
  return typeof value === 'object' && link?.asCID === value && link.bytes instanceof Uint8Array
}
