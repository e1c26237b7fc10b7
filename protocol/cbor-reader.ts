/**
 * Reads canonical DAG-CBOR piece by piece. What the pieces become, values (cbor.ts) or JSON text
 * (json.ts), is the callers' business; that the bytes are canonical is checked here, once for both.
 */
import { isUtf8 } from 'node:buffer'

/** Bytes that are not canonical DAG-CBOR, or a value that has no place in the data model. */
export class CborError extends Error {
  override name = 'CborError'
}

/** How deep arrays and maps may nest, in both directions, unless the caller says otherwise. */
export const cborDepthMax = 128

/** Up to this length a loop over bytes is faster than the native call. */
const SHORT_TEXT_BYTES = 8

/**
 * Strings of map keys, found by a hash of their bytes: a key that was seen lately costs no new
 * string, and objects get keys that the engine already knows. A slot is overwritten by whatever
 * else falls into it, so hostile keys only cost time.
 */
const KEY_SLOTS = 2048
const KEPT_KEY_BYTES_MAX = 32
const keySlots: string[] = new Array(KEY_SLOTS).fill('')

/** A key that assignment to an object treats specially; `@atproto/pds` refuses it as well. */
export const PROTO = '__proto__'

/**
 * A position in bytes, and strict readers of what stands there; each leaves the position behind
 * what it read.
 */
export class CborReader {
  readonly data: Buffer
  readonly end: number
  readonly depthMax: number
  at: number
  /** Where the last key's text began, and how many bytes it had. */
  keyAt = 0
  keyLength = -1

  constructor(bytes: Uint8Array, at: number, depthMax = cborDepthMax) {
    this.data =
      bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.end = this.data.length
    this.at = at
    this.depthMax = depthMax
  }

  /** The first byte of an item: the major type in its upper three bits. */
  byte(): number {
    if (this.at >= this.end) throw new CborError('the bytes end too early')
    return this.data[this.at++] as number
  }

  /**
   * The number in an item's head, an unsigned integer or a length: in the shortest form, at most
   * 2^53 - 1.
   */
  number(first: number): number {
    const info = first & 0x1f
    if (info < 24) return info
    const { data, at } = this
    if (info === 24) {
      if (at + 1 > this.end) throw new CborError('the bytes end too early')
      this.at = at + 1
      const n = data[at] as number
      if (n < 24) throw notShortest()
      return n
    }
    if (info === 25) {
      if (at + 2 > this.end) throw new CborError('the bytes end too early')
      this.at = at + 2
      const n = ((data[at] as number) << 8) | (data[at + 1] as number)
      if (n < 0x100) throw notShortest()
      return n
    }
    if (info === 26) {
      if (at + 4 > this.end) throw new CborError('the bytes end too early')
      this.at = at + 4
      const n = data.readUInt32BE(at)
      if (n < 0x10000) throw notShortest()
      return n
    }
    if (info === 27) {
      if (at + 8 > this.end) throw new CborError('the bytes end too early')
      this.at = at + 8
      const high = data.readUInt32BE(at)
      if (high === 0) throw notShortest()
      if (high > 0x1fffff) throw new CborError('an integer beyond 2^53 - 1')
      return high * 0x100000000 + data.readUInt32BE(at + 4)
    }
    throw new CborError('an indefinite or reserved length')
  }

  /** A negative integer, not below -(2^53 - 1). */
  negative(first: number): number {
    const n = -1 - this.number(first)
    if (n < Number.MIN_SAFE_INTEGER) throw new CborError('an integer beyond 2^53 - 1')
    return n
  }

  /** The length of a string, which must be there. */
  length(first: number): number {
    const length = this.number(first)
    if (length > this.end - this.at) throw new CborError('a string longer than the bytes that are left')
    return length
  }

  /**
   * The number of entries of an array (`itemsEach` 1) or map (2) at `depth`: each item takes a byte
   * at least, so that no more are believed than bytes are left.
   */
  count(first: number, itemsEach: number, depth: number): number {
    if (depth >= this.depthMax) throw new CborError(`nested deeper than ${this.depthMax}`)
    const count = this.number(first)
    if (count * itemsEach > this.end - this.at) throw new CborError('more entries than bytes that are left')
    return count
  }

  /** A byte string, as a view. */
  bytes(first: number): Uint8Array {
    const length = this.length(first)
    const { data, at } = this
    this.at = at + length
    return new Uint8Array(data.buffer, data.byteOffset + at, length)
  }

  /** A text string. */
  text(first: number): string {
    const length = this.length(first)
    const { data, at } = this
    const end = at + length
    this.at = end
    if (length <= SHORT_TEXT_BYTES) {
      let text = ''
      let i = at
      for (; i < end; i++) {
        const code = data[i] as number
        if (code > 0x7f) break
        text += String.fromCharCode(code)
      }
      if (i === end) return text
    }
    return decodeUtf8(data, at, end)
  }

  /**
   * A map's next key, as `keyAt` and `keyLength`; whether it is UTF-8 is not looked at.
   * `previousAt` and `previousLength` are what those were for the map's previous key, the length -1
   * before its first: keys stand in ascending order, shorter ones first.
   */
  keyBytes(previousAt: number, previousLength: number): void {
    const first = this.byte()
    if (first >> 5 !== 3) throw new CborError('a key that is not a string')
    const length = this.length(first)
    const { data, at } = this
    if (
      length <= previousLength &&
      !(length === previousLength && comesAfter(data, at, previousAt, length))
    ) {
      throw new CborError('keys are not in order, or one stands twice')
    }
    if (length === PROTO.length && isText(data, at, length, PROTO))
      throw new CborError(`a key may not be ${PROTO}`)
    this.at = at + length
    this.keyAt = at
    this.keyLength = length
  }

  /** A map's next key; for the arguments see `keyBytes`. */
  key(previousAt: number, previousLength: number): string {
    this.keyBytes(previousAt, previousLength)
    const { data, keyAt, keyLength } = this
    const end = keyAt + keyLength
    if (keyLength > KEPT_KEY_BYTES_MAX) return decodeUtf8(data, keyAt, end)
    let hash = keyLength
    for (let i = keyAt; i < end; i++) hash = (Math.imul(hash, 31) + (data[i] as number)) | 0
    const slot = (hash ^ (hash >>> 11)) & (KEY_SLOTS - 1)
    const known = keySlots[slot] as string
    if (isText(data, keyAt, keyLength, known)) return known
    const key = decodeUtf8(data, keyAt, end)
    if (key.length === keyLength) keySlots[slot] = key
    return key
  }

  /** The bytes of a link's CID, as a view; whether they are a CID is not looked at. */
  link(first: number): Uint8Array {
    if (first !== 0xd8 || this.byte() !== 0x2a) throw new CborError('a tag other than 42')
    const head = this.byte()
    if (head >> 5 !== 2) throw new CborError('a link that is not a byte string')
    const length = this.length(head)
    const { data, at } = this
    this.at = at + length
    if (length === 0 || data[at] !== 0) throw new CborError('a link that does not begin with a zero byte')
    return new Uint8Array(data.buffer, data.byteOffset + at + 1, length - 1)
  }

  /** False, true or null. */
  simple(first: number): boolean | null {
    if (first === 0xf6) return null
    if (first === 0xf5) return true
    if (first === 0xf4) return false
    throw new CborError('a float, undefined or another simple value')
  }
}

function notShortest(): CborError {
  return new CborError('an integer or length that is not in its shortest form')
}

function comesAfter(data: Buffer, at: number, previousAt: number, length: number): boolean {
  for (let i = 0; i < length; i++) {
    const difference = (data[at + i] as number) - (data[previousAt + i] as number)
    if (difference !== 0) return difference > 0
  }
  return false
}

/** Whether the bytes are this ASCII text. */
function isText(data: Buffer, at: number, length: number, text: string): boolean {
  if (text.length !== length) return false
  for (let i = 0; i < length; i++) if (text.charCodeAt(i) !== data[at + i]) return false
  return true
}

function decodeUtf8(data: Buffer, at: number, end: number): string {
  const text = data.toString('utf8', at, end)
  // Broken UTF-8 decodes to U+FFFD; so does a U+FFFD that was written.
  if (text.includes('\ufffd') && !isUtf8(data.subarray(at, end)))
    throw new CborError('a string that is not UTF-8')
  return text
}
