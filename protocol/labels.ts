/**
 * Labels, which a labeler says of accounts and records, and the stream of them.
 * https://atproto.com/specs/label
 */
import { CborError, type CborObject, decodeFirst, encode, isMap } from './cbor.ts'
import { FrameError } from './frame.ts'
import { type PublicKey, verifySignature } from './keys.ts'

/** A label as it is signed; fields that are not there are not signed either. */
export interface Label {
  ver?: number
  /** The DID of the labeler. */
  src: string
  /** What is labelled: the at:// URI of a record, or the DID of an account. */
  uri: string
  /** The version of the record that is meant; without it, all of them. */
  cid?: string
  val: string
  /** Takes the label back. */
  neg?: boolean
  /** When it was made. */
  cts: string
  /** From when on it does not apply any more. */
  exp?: string
}

/** A label out of a stream: what it says, and what is needed to see whether its labeler said it. */
export interface SignedLabel extends Label {
  sig: Uint8Array
  /** What was signed. */
  message: Uint8Array
}

/** A message of `subscribeLabels`. */
export type LabelEvent =
  | { kind: 'labels'; seq: number; labels: SignedLabel[]; malformed: number }
  | { kind: 'info'; name: string; message?: string }
  | { kind: 'error'; error: string; message?: string }
  | { kind: 'unknown'; seq?: number }

/** Whether the key's owner said it. */
export function verifyLabel({ message, sig }: SignedLabel, key: PublicKey): boolean {
  return verifySignature(key, message, sig)
}

/**
 * Reads a frame. Labels without what a label must have are left out and counted in `malformed`.
 * @throws FrameError, and nothing else, whatever the bytes are
 */
export function decodeLabelsFrame(bytes: Uint8Array): LabelEvent {
  const { header, body } = decodeParts(bytes)
  if (header.op === -1) return { kind: 'error', error: String(body.error), message: textOf(body.message) }
  if (header.op !== 1) throw new FrameError('a header whose op is neither 1 nor -1')
  const seq = Number.isSafeInteger(body.seq) ? (body.seq as number) : undefined
  if (header.t === '#info') return { kind: 'info', name: String(body.name), message: textOf(body.message) }
  if (header.t !== '#labels') return { kind: 'unknown', seq }
  if (seq === undefined || !Array.isArray(body.labels)) throw new FrameError('labels without a seq or a list')
  const labels = body.labels.flatMap((value) => (isMap(value) ? (readLabel(value) ?? []) : []))
  return { kind: 'labels', seq, labels, malformed: body.labels.length - labels.length }
}

function readLabel(map: CborObject): SignedLabel | null {
  const { $type, sig, ...said } = map
  const { ver, src, uri, cid, val, neg, cts, exp } = said
  if (typeof src !== 'string' || typeof uri !== 'string' || typeof val !== 'string') return null
  if (typeof cts !== 'string' || !(sig instanceof Uint8Array)) return null
  if (cid !== undefined && typeof cid !== 'string') return null
  if (exp !== undefined && typeof exp !== 'string') return null
  if (neg !== undefined && typeof neg !== 'boolean') return null
  if (ver !== undefined && typeof ver !== 'number') return null
  return { ver, src, uri, cid, val, neg, cts, exp, sig, message: encode(said) }
}

function decodeParts(bytes: Uint8Array): { header: CborObject; body: CborObject } {
  try {
    const { value: header, end } = decodeFirst(bytes)
    const { value: body, end: last } = decodeFirst(bytes, end)
    if (last === bytes.length && isMap(header) && isMap(body)) return { header, body }
  } catch (cause) {
    if (!(cause instanceof CborError)) throw cause
    throw new FrameError(`not a frame: ${cause.message}`, { cause })
  }
  throw new FrameError('a frame is two maps and nothing behind them')
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
