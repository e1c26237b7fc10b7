/**
 * Content identifiers.
 *
 * In memory a CID is a string: its 36 bytes, one character each (latin1). It is compared with
 * `===`, is the key of a Map, takes 52 bytes where an object takes several hundred, and is written
 * into a block with one copy. At the borders (JSON, URLs, logs) it is the familiar `bafy...` text;
 * as a link inside a decoded record it is the `CID` of multiformats, which the lexicon validators
 * know.
 *
 * Only the CIDs that the protocol allows exist here: version 1, DAG-CBOR or raw, SHA-256.
 * https://atproto.com/specs/data-model#link-and-cid-formats
 */
import { hash } from 'node:crypto'
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'

/** The 36 bytes of a CID as a latin1 string. Made only by the functions of this file. */
export type Cid = string & { readonly __brand: 'Cid' }

/** Bytes of a CID: version, codec, hash function, digest length, and a SHA-256 digest. */
export const CID_BYTES = 36

const PREFIX_DAG_CBOR = '\x01\x71\x12\x20'
const PREFIX_RAW = '\x01\x55\x12\x20'
const CODEC_RAW = 0x55
const SHA_256 = 0x12

/** Bytes or text that claim to be a CID and are not one that the protocol allows. */
export class InvalidCidError extends Error {
  override name = 'InvalidCidError'
}

/** The CID of a DAG-CBOR block: a record, a tree node, a commit. */
export function cidForCbor(block: Uint8Array): Cid {
  return (PREFIX_DAG_CBOR + digest(block)) as Cid
}

/** The CID of raw bytes: a blob. */
export function cidForRaw(bytes: Uint8Array): Cid {
  return (PREFIX_RAW + digest(bytes)) as Cid
}

/** The CID of a blob whose SHA-256 was computed elsewhere, for instance while it streamed by. */
export function cidForRawDigest(sha256: Uint8Array): Cid {
  if (sha256.length !== 32) throw new InvalidCidError(`a SHA-256 digest has 32 bytes, got ${sha256.length}`)
  return (PREFIX_RAW + asBuffer(sha256).toString('latin1')) as Cid
}

/**
 * The CID at `offset` of `bytes`; what follows it is not looked at.
 * @throws InvalidCidError
 */
export function cidFromBytes(bytes: Uint8Array, offset = 0): Cid {
  const text = asBuffer(bytes).toString('latin1', offset, offset + CID_BYTES)
  if (text.length !== CID_BYTES || !(text.startsWith(PREFIX_DAG_CBOR) || text.startsWith(PREFIX_RAW))) {
    throw new InvalidCidError('not a version 1 CID of a DAG-CBOR or raw block with a SHA-256 digest')
  }
  return text as Cid
}

/** The 36 bytes of a CID. */
export function cidToBytes(cid: Cid): Buffer {
  return Buffer.from(cid, 'latin1')
}

/** Whether the CID names raw bytes (a blob) rather than a DAG-CBOR block. */
export function isRawCid(cid: Cid): boolean {
  return cid.charCodeAt(1) === CODEC_RAW
}

/** Whether `block` is what `cid` names. */
export function isBlockOf(cid: Cid, block: Uint8Array): boolean {
  return cid.slice(4) === digest(block)
}

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'
const VALUE_OF = new Int8Array(128).fill(-1)
for (let i = 0; i < ALPHABET.length; i++) VALUE_OF[ALPHABET.charCodeAt(i)] = i
/** `b` and 36 bytes in base32 without padding. */
const TEXT_LENGTH = 59

/** The text of a CID, as JSON and URLs carry it: `bafyrei...` or `bafkrei...`. */
export function formatCid(cid: Cid): string {
  let text = 'b'
  let bits = 0
  let buffer = 0
  for (let i = 0; i < CID_BYTES; i++) {
    buffer = ((buffer << 8) | cid.charCodeAt(i)) & 0xfff
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text += ALPHABET[(buffer >> bits) & 31]
    }
  }
  return text + ALPHABET[(buffer << (5 - bits)) & 31]
}

/**
 * The CID that a text names.
 * @throws InvalidCidError
 */
export function parseCid(text: string): Cid {
  if (text.length !== TEXT_LENGTH || text[0] !== 'b') {
    throw new InvalidCidError(`not a CID: ${text.slice(0, 80)}`)
  }
  let cid = ''
  let bits = 0
  let buffer = 0
  for (let i = 1; i < TEXT_LENGTH; i++) {
    const value = VALUE_OF[text.charCodeAt(i)] ?? -1
    if (value < 0) throw new InvalidCidError(`not a CID: ${text}`)
    buffer = ((buffer << 5) | value) & 0xfff
    bits += 5
    if (bits >= 8) {
      bits -= 8
      cid += String.fromCharCode((buffer >> bits) & 0xff)
    }
  }
  const leftover = buffer & ((1 << bits) - 1)
  if (leftover !== 0 || !(cid.startsWith(PREFIX_DAG_CBOR) || cid.startsWith(PREFIX_RAW))) {
    throw new InvalidCidError(`not a CID of this protocol: ${text}`)
  }
  return cid as Cid
}

/** A CID as the link object that a decoded record holds. */
export function cidToLink(cid: Cid): CID {
  const bytes = cidToBytes(cid)
  return new CID(1, bytes[1] as number, createDigest(SHA_256, bytes.subarray(4)), bytes)
}

/**
 * The CID behind a record's link object.
 * @throws InvalidCidError when it is of a kind that the protocol does not allow
 */
export function linkToCid(link: { readonly bytes: Uint8Array }): Cid {
  if (link.bytes.length !== CID_BYTES) throw new InvalidCidError('a link is not a CID of this protocol')
  return cidFromBytes(link.bytes)
}

function digest(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'latin1')
}

function asBuffer(bytes: Uint8Array): Buffer {
  return bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
