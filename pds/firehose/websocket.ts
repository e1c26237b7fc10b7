/**
 * WebSocket messages as a server writes them: binary, unmasked, unfragmented, uncompressed (RFC
 * 6455, section 5.2). A page of frames becomes one buffer, written once and shared by subscribers,
 * where a library's `send` makes two writes for each frame.
 */
const FINAL_BINARY = 0x82
const LENGTH_16 = 126
const LENGTH_64 = 127

/** The payloads, each as one binary message, after each other. */
export function encodeMessages(payloads: readonly Uint8Array[]): Buffer {
  let total = 0
  for (const payload of payloads) total += headerBytes(payload.length) + payload.length
  const bytes = Buffer.allocUnsafe(total)
  let at = 0
  for (const payload of payloads) {
    at = writeHeader(bytes, at, payload.length)
    bytes.set(payload, at)
    at += payload.length
  }
  return bytes
}

function headerBytes(length: number): number {
  return length < LENGTH_16 ? 2 : length < 0x10000 ? 4 : 10
}

function writeHeader(bytes: Buffer, at: number, length: number): number {
  bytes[at] = FINAL_BINARY
  if (length < LENGTH_16) {
    bytes[at + 1] = length
    return at + 2
  }
  if (length < 0x10000) {
    bytes[at + 1] = LENGTH_16
    return bytes.writeUInt16BE(length, at + 2)
  }
  bytes[at + 1] = LENGTH_64
  bytes.writeUInt32BE(Math.floor(length / 2 ** 32), at + 2)
  return bytes.writeUInt32BE(length >>> 0, at + 6)
}
