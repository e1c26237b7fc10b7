/**
 * The JSON forms of the data model: a link is `{"$link": "bafy..."}`, bytes are `{"$bytes": "..."}`
 * in base64 without padding, everything else is itself. https://atproto.com/specs/data-model
 */
import { isAscii, isUtf8 } from 'node:buffer'
import { CID } from 'multiformats/cid'
import { CborError, type CborObject, type CborValue, decode, isMap } from './cbor.ts'
import { CborReader, cborDepthMax, PROTO } from './cbor-reader.ts'
import { isLink, isProtocolCid, linkFromBytes } from './link.ts'

/** JSON that does not stand for a value of the data model. */
export class JsonError extends Error {
  override name = 'JsonError'
}

/** The longest text of a link; the protocol's own have 59 characters. */
const linkCharactersMax = 128

/**
 * The value of parsed JSON. Stricter than `@atproto/pds`, which accepts malformed links and bytes
 * as plain objects: those, a `$type` that is not a name, a `blob` without its fields, fractions and
 * integers beyond 2^53 - 1 are rejected, as the specification requires.
 * @throws JsonError
 */
export function jsonToValue(json: unknown): CborValue {
  return toValue(json, 0)
}

function toValue(json: unknown, depth: number): CborValue {
  if (typeof json === 'string' || typeof json === 'boolean' || json === null) return json
  if (typeof json === 'number') {
    if (!Number.isSafeInteger(json)) throw new JsonError(`the data model has no ${json}`)
    return json
  }
  if (typeof json !== 'object') throw new JsonError(`the data model has no ${typeof json}`)
  if (depth >= cborDepthMax) throw new JsonError(`nested deeper than ${cborDepthMax}`)
  if (Array.isArray(json)) return json.map((item) => toValue(item, depth + 1))
  const form = json as { [key: string]: unknown }
  if (form.$link !== undefined) return toLink(form)
  if (form.$bytes !== undefined) return toBytes(form)
  const map: CborObject = {}
  for (const key of Object.keys(form)) {
    if (key === PROTO) throw new JsonError(`a key may not be ${PROTO}`)
    map[key] = toValue(form[key], depth + 1)
  }
  if (map.$type !== undefined) checkType(map)
  return map
}

function toLink(form: { [key: string]: unknown }): CID {
  const { $link: text } = form
  if (typeof text === 'string' && text.length <= linkCharactersMax && Object.keys(form).length === 1) {
    try {
      return CID.parse(text)
    } catch (cause) {
      throw new JsonError('a $link that is not a CID', { cause })
    }
  }
  throw new JsonError('a malformed $link')
}

function toBytes(form: { [key: string]: unknown }): Uint8Array {
  const { $bytes: text } = form
  if (typeof text === 'string' && Object.keys(form).length === 1) {
    try {
      return Uint8Array.fromBase64(text)
    } catch (cause) {
      throw new JsonError('a $bytes that is not base64', { cause })
    }
  }
  throw new JsonError('a malformed $bytes')
}

function checkType({ $type, ref, mimeType, size }: CborObject): void {
  if (typeof $type !== 'string' || $type === '') throw new JsonError('a $type that is not a name')
  if ($type !== 'blob') return
  if (!isLink(ref) || typeof mimeType !== 'string' || typeof size !== 'number' || size < 0) {
    throw new JsonError('a blob without a link, a MIME type or a size')
  }
}

/** The JSON of a value: what `JSON.stringify` and `jsonToValue` take. */
export function valueToJson(value: CborValue): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(valueToJson)
  if (value instanceof Uint8Array) return { $bytes: toBase64(value) }
  if (!isMap(value)) return { $link: value.toString() }
  const json: { [key: string]: unknown } = {}
  for (const key of Object.keys(value)) json[key] = valueToJson(value[key] as CborValue)
  return json
}

function toBase64(bytes: Uint8Array): string {
  return bytes.toBase64({ omitPadding: true })
}

// --- from bytes to text, without values in between

const SCRATCH_BYTES = 64 * 1024
const SCRATCH_KEPT_BYTES_MAX = 4 * 1024 * 1024
/** The text under way, in UTF-8; every call begins at its start. */
let out = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
let size = 0
/** Whether a key began with a digit. */
let digitKey = false

/** For each byte whether it stands for itself inside a JSON string. */
const PLAIN = new Uint8Array(256).fill(1, 0x20)
PLAIN[0x22] = 0
PLAIN[0x5c] = 0
/** A protocol CID in base32: 36 bytes take 58 characters behind the `b`. */
const CID_TEXT_BYTES = 59
const BASE32 = Buffer.from('abcdefghijklmnopqrstuvwxyz234567')

/**
 * The JSON text of a DAG-CBOR block: `JSON.stringify(valueToJson(decode(block)))`, without making
 * the objects.
 * @param levels how deep it may nest
 * @throws CborError as `decode` does
 */
export function cborToJsonText(block: Uint8Array, levels = cborDepthMax): string {
  const reader = new CborReader(block, 0, levels)
  size = 0
  digitKey = false
  writeItem(reader, 0)
  if (reader.at !== reader.end) throw new CborError(`${reader.end - reader.at} bytes follow the value`)
  // An object lists keys that are array indexes first, in the order of the numbers.
  if (digitKey) return JSON.stringify(valueToJson(decode(block, levels)))
  const json = out.subarray(0, size)
  if (out.length > SCRATCH_KEPT_BYTES_MAX) out = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
  if (isAscii(json)) return json.toString('latin1')
  // Quotes and brackets are ASCII: the whole is UTF-8 exactly when each string is.
  if (!isUtf8(json)) throw new CborError('a string that is not UTF-8')
  return json.toString('utf8')
}

function reserve(bytes: number): void {
  if (size + bytes <= out.length) return
  const larger = Buffer.allocUnsafeSlow(Math.max(out.length * 2, size + bytes))
  out.copy(larger, 0, 0, size)
  out = larger
}

function writeItem(reader: CborReader, depth: number): void {
  const first = reader.byte()
  switch (first >> 5) {
    case 0:
      writeAscii(String(reader.number(first)))
      break
    case 1:
      writeAscii(String(reader.negative(first)))
      break
    case 2:
      writeAscii(`{"$bytes":"${toBase64(reader.bytes(first))}"}`)
      break
    case 3: {
      const length = reader.length(first)
      writeText(reader.data, reader.at, length)
      reader.at += length
      break
    }
    case 4:
      writeArray(reader, reader.count(first, 1, depth), depth)
      break
    case 5:
      writeMap(reader, reader.count(first, 2, depth), depth)
      break
    case 6:
      writeLink(reader.link(first))
      break
    default:
      writeAscii(String(reader.simple(first)))
  }
}

function writeArray(reader: CborReader, count: number, depth: number): void {
  reserve(count + 2)
  out[size++] = 0x5b
  for (let i = 0; i < count; i++) {
    if (i > 0) writeByte(0x2c)
    writeItem(reader, depth + 1)
  }
  writeByte(0x5d)
}

function writeMap(reader: CborReader, count: number, depth: number): void {
  let keyAt = 0
  let keyLength = -1
  writeByte(0x7b)
  for (let i = 0; i < count; i++) {
    if (i > 0) writeByte(0x2c)
    reader.keyBytes(keyAt, keyLength)
    keyAt = reader.keyAt
    keyLength = reader.keyLength
    const first = reader.data[keyAt] as number
    if (keyLength > 0 && first >= 0x30 && first <= 0x39) digitKey = true
    writeText(reader.data, keyAt, keyLength)
    writeByte(0x3a)
    writeItem(reader, depth + 1)
  }
  writeByte(0x7d)
}

function writeByte(byte: number): void {
  reserve(1)
  out[size++] = byte
}

function writeAscii(text: string): void {
  reserve(text.length)
  for (let i = 0; i < text.length; i++) out[size++] = text.charCodeAt(i)
}

function writeText(data: Buffer, start: number, length: number): void {
  const end = start + length
  reserve(length + 2)
  const buffer = out
  let at = size
  buffer[at++] = 0x22
  for (let i = start; i < end; i++) {
    const byte = data[i] as number
    if (PLAIN[byte] === 0) {
      writeEscaped(data, start, end)
      return
    }
    buffer[at++] = byte
  }
  buffer[at++] = 0x22
  size = at
}

/** An escape takes six bytes at most, and there is room for that many for each. */
function writeEscaped(data: Buffer, at: number, end: number): void {
  reserve((end - at) * 6 + 2)
  out[size++] = 0x22
  for (let i = at; i < end; i++) {
    const byte = data[i] as number
    if (PLAIN[byte] === 1) out[size++] = byte
    else size += out.write(JSON.stringify(String.fromCharCode(byte)).slice(1, -1), size, 'latin1')
  }
  out[size++] = 0x22
}

function writeLink(bytes: Uint8Array): void {
  writeAscii('{"$link":"')
  if (isProtocolCid(bytes)) writeBase32(bytes)
  else writeAscii(linkFromBytes(bytes).toString())
  writeAscii('"}')
}

/** `b`, and five bits a character, the last one filled up with zeros. */
function writeBase32(bytes: Uint8Array): void {
  reserve(CID_TEXT_BYTES)
  const buffer = out
  let at = size
  let bits = 0
  let pending = 0
  buffer[at++] = 0x62
  for (let i = 0; i < bytes.length; i++) {
    pending = ((pending << 8) | (bytes[i] as number)) & 0xfff
    bits += 8
    while (bits >= 5) {
      bits -= 5
      buffer[at++] = BASE32[(pending >> bits) & 31] as number
    }
  }
  buffer[at++] = BASE32[(pending << (5 - bits)) & 31] as number
  size = at
}
