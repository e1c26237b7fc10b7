/**
 * Frames of the firehose, `com.atproto.sync.subscribeRepos`: two DAG-CBOR values after each other,
 * a header that names the kind and a body. What an event means, and whether its commit is signed
 * and true, is for others to say. https://atproto.com/specs/event-stream
 */
import { CborError, type CborObject, type CborValue, decodeFirst, encode, isMap } from './cbor.ts'
import { type Cid, InvalidCidError, linkToCid } from './cid.ts'
import { isLink, Link } from './link.ts'

/** A record that a commit created, changed or deleted. */
export interface RepoOp {
  action: 'create' | 'update' | 'delete'
  /** Collection and record key: `app.bsky.feed.post/3k...` */
  path: string
  /** The record; null when it was deleted. */
  cid: Cid | null
  /** The record before, of updates and deletes. Absent from senders that predate it. */
  prev?: Cid
}

/** A repository has a new commit. */
export interface CommitEvent {
  kind: 'commit'
  seq: number
  repo: string
  commit: Cid
  rev: string
  /** The revision of the commit before; null for the first. */
  since: string | null
  /** The root of the tree before. Absent from senders that predate it. */
  prevData?: Cid
  /** A CAR file: the commit, the new records and the tree nodes that prove the ops. */
  blocks: Uint8Array
  ops: RepoOp[]
  blobs: Cid[]
  time: string
  /** Both are leftovers and false in what is sent today. */
  rebase: boolean
  tooBig: boolean
}

/** A repository stands at this commit, whatever was sent before. */
export interface SyncEvent {
  kind: 'sync'
  seq: number
  did: string
  rev: string
  /** A CAR file that holds the commit. */
  blocks: Uint8Array
  time: string
}

/** An account's handle, keys or host may have changed: look its identity up again. */
export interface IdentityEvent {
  kind: 'identity'
  seq: number
  did: string
  time: string
  handle?: string
}

/** An account was activated, or is not active any more for the reason in `status`. */
export interface AccountEvent {
  kind: 'account'
  seq: number
  did: string
  time: string
  active: boolean
  status?: string
}

/**
 * A word from the server that is not about an account, such as `OutdatedCursor`. It has no `seq`.
 */
export interface InfoEvent {
  kind: 'info'
  name: string
  message?: string
}

/** What a server of the firehose sends. */
export type RepoEvent = CommitEvent | SyncEvent | IdentityEvent | AccountEvent | InfoEvent

/** An event of an unknown kind, to be skipped. */
export interface UnknownEvent {
  kind: 'unknown'
  /** The kind as the header says it. */
  t: string
  seq?: number
}

/** The last frame before a server closes: `FutureCursor`, `ConsumerTooSlow`. */
export interface ErrorEvent {
  kind: 'error'
  error: string
  message?: string
}

/** Bytes that are not a frame, or an event without what its kind must have. */
export class FrameError extends Error {
  override name = 'FrameError'
}

/** The lexicon's bounds of a commit and of a sync event. */
export const opsMax = 200
export const commitBlocksBytesMax = 2_000_000
export const syncBlocksBytesMax = 10_000

const HEADERS = {
  commit: encode({ op: 1, t: '#commit' }),
  sync: encode({ op: 1, t: '#sync' }),
  identity: encode({ op: 1, t: '#identity' }),
  account: encode({ op: 1, t: '#account' }),
  info: encode({ op: 1, t: '#info' }),
}
const ERROR_HEADER = encode({ op: -1 })

/** The frame of an event, byte for byte as `@atproto/pds` sends it. Omits `undefined` fields. */
export function encodeFrame(event: RepoEvent): Buffer {
  const { kind, ...body } = event
  return Buffer.concat([HEADERS[kind], encode(event.kind === 'commit' ? commitBody(event) : body)])
}

/** The frame that says why the server closes. */
export function encodeErrorFrame(error: string, message?: string): Buffer {
  return Buffer.concat([ERROR_HEADER, encode({ error, message })])
}

function commitBody({ kind, commit, prevData, ops, blobs, ...rest }: CommitEvent): object {
  return {
    ...rest,
    commit: new Link(commit),
    prevData: link(prevData),
    ops: ops.map(({ action, path, cid, prev }) => ({ action, path, cid: link(cid), prev: link(prev) })),
    blobs: blobs.map(link),
  }
}

function link<T extends null | undefined>(cid: Cid | T): Link | T {
  return typeof cid === 'string' ? new Link(cid) : cid
}

/**
 * Reads a frame. Fields of the lexicon are checked; others are dropped. `blocks` is a view of
 * `bytes`.
 * @throws FrameError, and nothing else, whatever the bytes are
 */
export function decodeFrame(bytes: Uint8Array): RepoEvent | UnknownEvent | ErrorEvent {
  const { header, body } = decodeParts(bytes)
  if (header.op === -1) {
    return { kind: 'error', error: text(body, 'error'), message: optional(body, 'message', text) }
  }
  if (header.op !== 1) throw new FrameError('a header whose op is neither 1 nor -1')
  const t = text(header, 't')
  switch (t) {
    case '#commit':
      return readCommit(body)
    case '#sync':
      return {
        kind: 'sync',
        seq: integer(body, 'seq'),
        did: did(body, 'did'),
        rev: text(body, 'rev'),
        blocks: blocks(body, syncBlocksBytesMax),
        time: text(body, 'time'),
      }
    case '#identity':
      return {
        kind: 'identity',
        seq: integer(body, 'seq'),
        did: did(body, 'did'),
        time: text(body, 'time'),
        handle: optional(body, 'handle', text),
      }
    case '#account':
      return {
        kind: 'account',
        seq: integer(body, 'seq'),
        did: did(body, 'did'),
        time: text(body, 'time'),
        active: boolean(body, 'active'),
        status: optional(body, 'status', text),
      }
    case '#info':
      return { kind: 'info', name: text(body, 'name'), message: optional(body, 'message', text) }
    default:
      return { kind: 'unknown', t, seq: Number.isSafeInteger(body.seq) ? (body.seq as number) : undefined }
  }
}

function readCommit(body: CborObject): CommitEvent {
  return {
    kind: 'commit',
    seq: integer(body, 'seq'),
    repo: did(body, 'repo'),
    commit: cid(body, 'commit'),
    rev: text(body, 'rev'),
    since: body.since === null ? null : text(body, 'since'),
    prevData: optional(body, 'prevData', cid),
    blocks: blocks(body, commitBlocksBytesMax),
    ops: readOps(body),
    blobs: list(body, 'blobs').map(toCid),
    time: text(body, 'time'),
    rebase: boolean(body, 'rebase'),
    tooBig: boolean(body, 'tooBig'),
  }
}

function readOps(body: CborObject): RepoOp[] {
  const ops = list(body, 'ops')
  if (ops.length > opsMax) throw new FrameError(`a commit of ${ops.length} ops; ${opsMax} are allowed`)
  return ops.map((op) => {
    if (!isMap(op)) throw new FrameError('an op that is not a map')
    const action = text(op, 'action')
    if (action !== 'create' && action !== 'update' && action !== 'delete') {
      throw new FrameError(`an op of unknown action ${action.slice(0, 80)}`)
    }
    if ((action === 'delete') !== (op.cid === null))
      throw new FrameError('only the cid of a deleted record is null')
    return {
      action,
      path: text(op, 'path'),
      cid: op.cid === null ? null : cid(op, 'cid'),
      prev: optional(op, 'prev', cid),
    }
  })
}

function decodeParts(bytes: Uint8Array): { header: CborObject; body: CborObject } {
  let header: CborValue
  let body: CborValue
  let end: number
  try {
    const first = decodeFirst(bytes)
    header = first.value
    const second = decodeFirst(bytes, first.end)
    body = second.value
    end = second.end
  } catch (cause) {
    if (cause instanceof CborError) throw new FrameError(`not a frame: ${cause.message}`, { cause })
    throw cause
  }
  if (end !== bytes.length) throw new FrameError('bytes follow the frame')
  if (!isMap(header) || !isMap(body)) throw new FrameError('a frame is two maps')
  return { header, body }
}

// Readers of one field each: they find it well-formed or throw.

function optional<T>(
  map: CborObject,
  field: string,
  read: (map: CborObject, field: string) => T,
): T | undefined {
  return map[field] === undefined ? undefined : read(map, field)
}

function text(map: CborObject, field: string): string {
  const value = map[field]
  if (typeof value !== 'string') throw new FrameError(`${field} is not a string`)
  return value
}

function did(map: CborObject, field: string): string {
  const value = text(map, field)
  if (!value.startsWith('did:')) throw new FrameError(`${field} is not a DID`)
  return value
}

function integer(map: CborObject, field: string): number {
  const value = map[field]
  if (typeof value !== 'number') throw new FrameError(`${field} is not an integer`)
  return value
}

function boolean(map: CborObject, field: string): boolean {
  const value = map[field]
  if (typeof value !== 'boolean') throw new FrameError(`${field} is not a boolean`)
  return value
}

function list(map: CborObject, field: string): CborValue[] {
  const value = map[field]
  if (!Array.isArray(value)) throw new FrameError(`${field} is not an array`)
  return value
}

function blocks(map: CborObject, bytesMax: number): Uint8Array {
  const value = map.blocks
  if (!(value instanceof Uint8Array)) throw new FrameError('blocks is not a byte string')
  if (value.length > bytesMax)
    throw new FrameError(`blocks of ${value.length} bytes; ${bytesMax} are allowed`)
  return value
}

function cid(map: CborObject, field: string): Cid {
  return toCid(map[field], field)
}

function toCid(value: CborValue | undefined, field: string | number): Cid {
  try {
    if (isLink(value)) return linkToCid(value)
  } catch (cause) {
    if (!(cause instanceof InvalidCidError)) throw cause
  }
  throw new FrameError(`${field} is not a CID of this protocol`)
}
