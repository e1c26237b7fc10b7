/**
 * DAG-CBOR of the AT Protocol data model: values to bytes and back.
 *
 * There is one encoding of a value, and only that one is accepted: shortest integers, definite
 * lengths, map keys sorted by length and then by bytes, no key twice, valid UTF-8, integers a
 * double can hold exactly, no floats, no tag but 42 (a link). Whatever `decode` accepts, `encode`
 * gives back byte for byte. That is stricter than `@atproto/lex-cbor`, which reads unsorted keys,
 * `undefined`, 64-bit integers and broken UTF-8; what is read here is read there too, with the same
 * meaning.
 *
 * The JSON forms of these values are json.ts's. https://atproto.com/specs/data-model
 */
import type { CID } from 'multiformats/cid'
import { CborError, CborReader, cborDepthMax, PROTO } from './cbor-reader.ts'
import { CID_BYTES, type Cid } from './cid.ts'
import { isLink, isProtocolCid, Link, linkFromBytes } from './link.ts'

export { CborError, cborDepthMax }

/** A value of the data model. A link inside it is a `CID` of multiformats. */
export type CborValue = null | boolean | number | string | Uint8Array | CID | CborValue[] | CborObject

/** A map of the data model: no prototype tricks, no `undefined`. */
export type CborObject = { [key: string]: CborValue }

// --- encoding

/**
 * The scratch that every `encode` writes into from the start: grown as needed, given back when it
 * grew large.
 */
const SCRATCH_BYTES = 64 * 1024
const SCRATCH_KEPT_BYTES_MAX = 4 * 1024 * 1024
let out = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
let size = 0
/** How deep the value may nest that is written. */
let depthMax = cborDepthMax

/** Up to this length a loop over characters is faster than the native call. */
const SHORT_TEXT_CHARACTERS = 40

/**
 * The DAG-CBOR of a value: a plain tree of null, booleans, safe integers, strings, `Uint8Array`,
 * links (`Link`, or a `CID` of any version of multiformats), arrays and plain objects. Properties
 * that are `undefined` are left out; a lone surrogate in a string becomes U+FFFD, as everywhere in
 * JavaScript's UTF-8.
 * @throws CborError for anything else, and for a tree deeper than `levels`
 */
export function encode(value: unknown, levels = cborDepthMax): Buffer {
  size = 0
  depthMax = levels
  writeValue(value, 0)
  const block = Buffer.allocUnsafe(size)
  out.copy(block, 0, 0, size)
  if (out.length > SCRATCH_KEPT_BYTES_MAX) out = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
  return block
}

function reserve(bytes: number): void {
  if (size + bytes <= out.length) return
  const larger = Buffer.allocUnsafeSlow(Math.max(out.length * 2, size + bytes))
  out.copy(larger, 0, 0, size)
  out = larger
}

function writeValue(value: unknown, depth: number): void {
  if (typeof value === 'string') {
    writeText(value)
  } else if (typeof value === 'number') {
    writeInteger(value)
  } else if (value === null || typeof value === 'boolean') {
    reserve(1)
    out[size++] = value === null ? 0xf6 : value ? 0xf5 : 0xf4
  } else if (typeof value === 'object') {
    writeObject(value, depth)
  } else if (typeof value === 'bigint') {
    writeInteger(safeNumber(value))
  } else {
    throw new CborError(`the data model has no ${typeof value}`)
  }
}

function writeObject(value: object, depth: number): void {
  const prototype = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) {
    writeMap(value as CborObject, depth)
  } else if (Array.isArray(value)) {
    writeArray(value, depth)
  } else if (value instanceof Link) {
    writeCid(value.cid)
  } else if (value instanceof Uint8Array) {
    writeBytes(value)
  } else if (isLink(value)) {
    writeLink(value.bytes)
  } else if (
    Object.getPrototypeOf(prototype) === null &&
    Object.prototype.toString.call(value) === '[object Object]'
  ) {
    // A plain object of another realm, such as a vm context.
    writeMap(value as CborObject, depth)
  } else {
    throw new CborError(`the data model has no ${prototype.constructor?.name ?? 'such object'}`)
  }
}

function writeHead(major: number, n: number): void {
  reserve(9)
  if (n < 24) {
    out[size++] = major | n
  } else if (n < 0x100) {
    out[size++] = major | 24
    out[size++] = n
  } else if (n < 0x10000) {
    out[size++] = major | 25
    out[size++] = n >> 8
    out[size++] = n
  } else if (n < 0x100000000) {
    out[size++] = major | 26
    size = out.writeUInt32BE(n, size)
  } else {
    out[size++] = major | 27
    size = out.writeUInt32BE(Math.floor(n / 0x100000000), size)
    size = out.writeUInt32BE(n % 0x100000000, size)
  }
}

function writeInteger(n: number): void {
  if (!Number.isSafeInteger(n))
    throw new CborError(`the data model has no ${n}: only integers up to 2^53 - 1`)
  if (n >= 0) writeHead(0x00, n)
  else writeHead(0x20, -1 - n)
}

function safeNumber(n: bigint): number {
  if (n < Number.MIN_SAFE_INTEGER || n > Number.MAX_SAFE_INTEGER)
    throw new CborError(`${n} is beyond 2^53 - 1`)
  return Number(n)
}

function writeText(text: string): void {
  const length = text.length
  reserve(length * 3 + 9)
  if (length <= SHORT_TEXT_CHARACTERS) {
    const buffer = out
    let at = size
    if (length >= 24) buffer[at++] = 0x78
    buffer[at++] = length < 24 ? 0x60 | length : length
    let i = 0
    for (; i < length; i++) {
      const code = text.charCodeAt(i)
      if (code > 0x7f) break
      buffer[at++] = code
    }
    if (i === length) {
      size = at
      return
    }
  }
  // The head's width is guessed from the length in UTF-16; in the rare other case the text is
  // moved.
  const guess = headBytes(length)
  const written = out.write(text, size + guess, 'utf8')
  const width = headBytes(written)
  if (width !== guess) out.copyWithin(size + width, size + guess, size + guess + written)
  writeHead(0x60, written)
  size += written
}

function headBytes(n: number): number {
  return n < 24 ? 1 : n < 0x100 ? 2 : n < 0x10000 ? 3 : 5
}

function writeBytes(bytes: Uint8Array): void {
  reserve(bytes.length + 9)
  writeHead(0x40, bytes.length)
  out.set(bytes, size)
  size += bytes.length
}

/** Tag 42, and a byte string that begins with a zero. */
function writeLinkHead(bytes: number): void {
  reserve(bytes + 12)
  out[size++] = 0xd8
  out[size++] = 0x2a
  writeHead(0x40, bytes + 1)
  out[size++] = 0
}

function writeLink(cid: Uint8Array): void {
  // A link object may come from another library; what is written can be read.
  if (!isProtocolCid(cid)) linkFromBytes(cid)
  writeLinkHead(cid.length)
  out.set(cid, size)
  size += cid.length
}

function writeCid(cid: Cid): void {
  writeLinkHead(CID_BYTES)
  if (out.write(cid, size, 'latin1') !== CID_BYTES) throw new CborError('not a CID')
  size += CID_BYTES
}

function writeArray(items: unknown[], depth: number): void {
  if (depth >= depthMax) throw new CborError(`nested deeper than ${depthMax}`)
  writeHead(0x80, items.length)
  for (let i = 0; i < items.length; i++) writeValue(items[i], depth + 1)
}

function writeMap(map: { [key: string]: unknown }, depth: number): void {
  if (depth >= depthMax) throw new CborError(`nested deeper than ${depthMax}`)
  const keys = Object.keys(map)
  sortKeys(keys)
  const head = size
  writeHead(0xa0, keys.length)
  const start = size
  let count = 0
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string
    const value = map[key]
    if (value === undefined) continue
    if (key === PROTO) throw new CborError(`a key may not be ${PROTO}`)
    writeText(key)
    writeValue(value, depth + 1)
    count++
  }
  if (count === keys.length) return
  // The head said too many.
  const end = size
  size = head
  writeHead(0xa0, count)
  out.copyWithin(size, start, end)
  size += end - start
}

/**
 * More keys than this are sorted by the engine; fewer by insertion, which is faster on small and
 * nearly sorted lists.
 */
const INSERTION_SORT_MAX = 24

/** In place: shorter keys (in UTF-8) first, equally long ones by their bytes. */
function sortKeys(keys: string[]): void {
  for (let i = 0; i < keys.length; i++) {
    if (isAscii(keys[i] as string)) continue
    for (const key of keys) if (!key.isWellFormed()) throw new CborError('a key with a lone surrogate')
    keys.sort(compareUtf8)
    return
  }
  if (keys.length > INSERTION_SORT_MAX) {
    keys.sort(compareAscii)
    return
  }
  for (let i = 1; i < keys.length; i++) {
    const key = keys[i] as string
    let j = i
    while (j > 0 && compareAscii(keys[j - 1] as string, key) > 0) keys[j] = keys[--j] as string
    keys[j] = key
  }
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false
  return true
}

function compareAscii(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : 1)
}

function compareUtf8(a: string, b: string): number {
  const x = Buffer.from(a)
  const y = Buffer.from(b)
  return x.length - y.length || x.compare(y)
}

// --- decoding

/**
 * The value in a block. Its byte strings and links are views of `bytes`: a caller that overwrites
 * `bytes` later, or keeps a few bytes of a large input for long, copies them.
 * @param levels how deep it may nest
 * @throws CborError when the bytes are anything but one canonical value
 */
export function decode(bytes: Uint8Array, levels = cborDepthMax): CborValue {
  const reader = new CborReader(bytes, 0, levels)
  const value = readValue(reader, 0)
  if (reader.at !== reader.end) throw new CborError(`${reader.end - reader.at} bytes follow the value`)
  return value
}

/**
 * The value that begins at `offset`, and where it ends: several may follow each other, as in a
 * firehose frame.
 * @throws CborError
 */
export function decodeFirst(bytes: Uint8Array, offset = 0): { value: CborValue; end: number } {
  const reader = new CborReader(bytes, offset)
  const value = readValue(reader, 0)
  return { value, end: reader.at }
}

function readValue(reader: CborReader, depth: number): CborValue {
  const first = reader.byte()
  switch (first >> 5) {
    case 0:
      return reader.number(first)
    case 1:
      return reader.negative(first)
    case 2:
      return reader.bytes(first)
    case 3:
      return reader.text(first)
    case 4: {
      const count = reader.count(first, 1, depth)
      const items: CborValue[] = []
      for (let i = 0; i < count; i++) items.push(readValue(reader, depth + 1))
      return items
    }
    case 5: {
      const count = reader.count(first, 2, depth)
      const map: CborObject = {}
      let keyAt = 0
      let keyLength = -1
      for (let i = 0; i < count; i++) {
        const key = reader.key(keyAt, keyLength)
        keyAt = reader.keyAt
        keyLength = reader.keyLength
        map[key] = readValue(reader, depth + 1)
      }
      return map
    }
    case 6:
      return linkFromBytes(reader.link(first))
    default:
      return reader.simple(first)
  }
}

/** Whether a decoded value is a map. */
export function isMap(value: CborValue): value is CborObject {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Uint8Array) &&
    !isLink(value)
  )
}
