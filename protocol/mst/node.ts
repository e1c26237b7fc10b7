/**
 * The nodes of the Merkle search tree: their bytes, and where they are fetched from. How nodes hang
 * together is left to the other files of this folder.
 *
 * A node's codec is written out here and not made of `../cbor.ts`: a commit encodes one node for
 * each layer of the tree, and a shape known beforehand is read and written several times faster.
 * Decoding accepts only the bytes that encoding gives, so a decoded node can always be encoded
 * again to the block it came from.
 *
 * https://atproto.com/specs/repository#mst-structure
 */
import { CID_BYTES, type Cid, cidForCbor, formatCid } from '../cid.ts'
import { commonPrefixLength, isValidKey, layerOf } from './key.ts'

/**
 * A node: keys in ascending order, all of one layer, and before, between and after them the
 * subtrees of the layer below.
 */
export interface Node {
  /** The subtree before the first key. */
  left: Cid | null
  entries: Entry[]
}

/**
 * A key (`collection/rkey`), the CID of its record, and the subtree of the keys between it and the
 * next entry's.
 */
export interface Entry {
  key: string
  value: Cid
  right: Cid | null
}

/**
 * Where nodes come from: a store with a cache, the blocks of a CAR, a map in a test. A node it
 * gives is never altered.
 */
export interface NodeSource {
  /**
   * @throws MissingNodeError when there is no such node, InvalidNodeError when its block is not a
   * node
   */
  node(cid: Cid): Node
}

/** A node that the source does not hold. */
export class MissingNodeError extends Error {
  override name = 'MissingNodeError'
  readonly cid: Cid
  constructor(cid: Cid) {
    super(`no block for the tree node ${formatCid(cid)}`)
    this.cid = cid
  }
}

/**
 * A block that is not a tree node in its one valid encoding, or a node that cannot stand where it
 * stands.
 */
export class InvalidNodeError extends Error {
  override name = 'InvalidNodeError'
}

/**
 * The index of the first entry whose key is `key` or greater; the subtree around `key` is the child
 * at that index.
 */
export function position(node: { entries: readonly { key: string }[] }, key: string): number {
  const { entries } = node
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (entries[middle]!.key < key) low = middle + 1
    else high = middle
  }
  return low
}

/** The subtree before the entry at `i`, or after the last entry. */
export function childAt<T>(node: { left: T; entries: readonly { right: T }[] }, i: number): T {
  return i === 0 ? node.left : node.entries[i - 1]!.right
}

/**
 * The layer of a tree's root.
 * @throws InvalidNodeError when it has subtrees and no key: such a node can stand everywhere but at
 * the top
 */
export function rootLayer(root: Node): number {
  const first = root.entries[0]
  if (first !== undefined) return layerOf(first.key)
  if (root.left !== null) throw new InvalidNodeError('a root without keys')
  return 0
}

/**
 * A source over blocks in memory, each decoded at its first use. That the blocks match their CIDs
 * is the reader's care (`readCar`).
 */
export function nodesOf(blocks: ReadonlyMap<Cid, Uint8Array>): NodeSource {
  const decoded = new Map<Cid, Node>()
  return {
    node(cid) {
      let node = decoded.get(cid)
      if (node !== undefined) return node
      const block = blocks.get(cid)
      if (block === undefined) throw new MissingNodeError(cid)
      node = decodeNode(block)
      decoded.set(cid, node)
      return node
    },
  }
}

// DAG-CBOR: a byte of major type and length, the length itself when it is 24 or more, the contents.
// Map keys are sorted, so a node is `e`, `l` and an entry is `k`, `p`, `t`, `v`.
const UINT = 0x00
const BYTES = 0x40
const TEXT_1 = 0x61
const ARRAY = 0x80
const MAP_2 = 0xa2
const MAP_4 = 0xa4
const NULL = 0xf6
/** Tag 42, a string of 37 bytes, the 0 that stands before a binary CID. */
const LINK = '\xd8\x2a\x58\x25\x00'
const LINK_TO_NODE = `${LINK}\x01\x71\x12\x20`
const LINK_TO_RAW = `${LINK}\x01\x55\x12\x20`
const LINK_BYTES = LINK.length + CID_BYTES
const E = 0x65
const K = 0x6b
const L = 0x6c
const P = 0x70
const T = 0x74
const V = 0x76

/**
 * More than an entry takes beside the part of its key that is written, and more than a node takes
 * beside its entries.
 */
const OVERHEAD_BYTES = 128

/**
 * Nodes are written here and then copied to their length; grows to the largest node written so far.
 */
let scratch = Buffer.allocUnsafe(16 * 1024)

/**
 * The block of a node.
 * @throws InvalidNodeError when its keys are not in strictly ascending order
 */
export function encodeNode(node: Node): Buffer {
  const { left, entries } = node
  let at = 0
  let previous = ''
  reserve(OVERHEAD_BYTES)
  scratch[at++] = MAP_2
  scratch[at++] = TEXT_1
  scratch[at++] = E
  at = writeHead(ARRAY, entries.length, at)
  for (const { key, value, right } of entries) {
    const prefix = commonPrefixLength(previous, key)
    // Where the keys part, the later one has the greater character; past the end charCodeAt gives
    // NaN, greater than nothing.
    if (
      prefix < previous.length
        ? !(key.charCodeAt(prefix) > previous.charCodeAt(prefix))
        : key.length === prefix
    ) {
      throw new InvalidNodeError(`keys out of order in a node: ${previous}, ${key}`)
    }
    reserve(at + key.length - prefix + 2 * OVERHEAD_BYTES)
    scratch[at++] = MAP_4
    scratch[at++] = TEXT_1
    scratch[at++] = K
    at = writeHead(BYTES, key.length - prefix, at)
    for (let i = prefix; i < key.length; i++) scratch[at++] = key.charCodeAt(i)
    scratch[at++] = TEXT_1
    scratch[at++] = P
    at = writeHead(UINT, prefix, at)
    scratch[at++] = TEXT_1
    scratch[at++] = T
    at = writeLink(right, at)
    scratch[at++] = TEXT_1
    scratch[at++] = V
    at = writeLink(value, at)
    previous = key
  }
  scratch[at++] = TEXT_1
  scratch[at++] = L
  at = writeLink(left, at)
  return Buffer.from(scratch.subarray(0, at))
}

function reserve(length: number): void {
  if (length <= scratch.length) return
  const larger = Buffer.allocUnsafe(2 * length)
  scratch.copy(larger)
  scratch = larger
}

function writeHead(type: number, n: number, at: number): number {
  if (n < 24) {
    scratch[at++] = type | n
  } else if (n < 0x100) {
    scratch[at++] = type | 24
    scratch[at++] = n
  } else if (n < 0x10000) {
    scratch[at++] = type | 25
    at = scratch.writeUInt16BE(n, at)
  } else {
    scratch[at++] = type | 26
    at = scratch.writeUInt32BE(n, at)
  }
  return at
}

function writeLink(cid: Cid | null, at: number): number {
  if (cid === null) {
    scratch[at++] = NULL
    return at
  }
  scratch[at++] = 0xd8
  scratch[at++] = 0x2a
  scratch[at++] = 0x58
  scratch[at++] = 0x25
  scratch[at++] = 0x00
  scratch.write(cid, at, 'latin1')
  return at + CID_BYTES
}

/**
 * The node in a block. Its keys are valid and in strictly ascending order and its bytes are those
 * that `encodeNode` gives; whether the keys belong to one layer is for the caller to check.
 * @throws InvalidNodeError
 */
export function decodeNode(block: Uint8Array): Node {
  const reader = new Reader(block)
  reader.expect(MAP_2)
  reader.field(E)
  const length = reader.head(ARRAY)
  const entries: Entry[] = []
  let previous = ''
  for (let i = 0; i < length; i++) {
    reader.expect(MAP_4)
    reader.field(K)
    const suffix = reader.bytes()
    reader.field(P)
    const prefix = reader.head(UINT)
    reader.field(T)
    const right = reader.childLink()
    reader.field(V)
    const value = reader.link()
    // The prefix has its full length exactly when the next characters differ, and then they order
    // the keys. What follows the previous key's end differs from nothing: charCodeAt gives NaN.
    if (prefix > previous.length || !(suffix.charCodeAt(0) > (previous.charCodeAt(prefix) || 0))) {
      throw new InvalidNodeError('a key that is not prefixed fully or not in order')
    }
    const key = prefix === 0 ? suffix : previous.slice(0, prefix) + suffix
    if (!isValidKey(key)) throw new InvalidNodeError(`not a key of a repository: ${key.slice(0, 80)}`)
    entries.push({ key, value, right })
    previous = key
  }
  reader.field(L)
  const left = reader.childLink()
  reader.end()
  return { left, entries }
}

/**
 * Reads a block as latin1 text, of which keys and CIDs are slices: one call into the runtime and no
 * copies.
 */
class Reader {
  readonly #text: string
  #at = 0

  constructor(block: Uint8Array) {
    this.#text = Buffer.from(block.buffer, block.byteOffset, block.byteLength).toString('latin1')
  }

  expect(byte: number): void {
    if (this.#text.charCodeAt(this.#at++) !== byte) throw new InvalidNodeError('not the shape of a tree node')
  }

  field(name: number): void {
    this.expect(TEXT_1)
    this.expect(name)
  }

  /** The number in a head of the given type, which must take as few bytes as it can. */
  head(type: number): number {
    const n = this.#text.charCodeAt(this.#at++) - type
    if (n >= 0 && n < 24) return n
    const width = n === 24 ? 1 : n === 25 ? 2 : n === 26 ? 4 : 0
    let value = 0
    for (let i = 0; i < width; i++) value = value * 256 + this.#text.charCodeAt(this.#at++)
    const valueMin = width === 1 ? 24 : 256 ** (width / 2)
    if (width === 0 || !(value >= valueMin)) throw new InvalidNodeError('not the shape of a tree node')
    return value
  }

  bytes(): string {
    const length = this.head(BYTES)
    const start = this.#at
    this.#at += length
    if (length === 0 || this.#at > this.#text.length)
      throw new InvalidNodeError('a key that is empty or cut off')
    return this.#text.slice(start, this.#at)
  }

  link(): Cid {
    const start = this.#at
    this.#at += LINK_BYTES
    if (
      !(this.#text.startsWith(LINK_TO_NODE, start) || this.#text.startsWith(LINK_TO_RAW, start)) ||
      this.#at > this.#text.length
    ) {
      throw new InvalidNodeError('not a link that the protocol allows')
    }
    return this.#text.slice(start + LINK.length, this.#at) as Cid
  }

  childLink(): Cid | null {
    if (this.#text.charCodeAt(this.#at) === NULL) {
      this.#at++
      return null
    }
    if (!this.#text.startsWith(LINK_TO_NODE, this.#at))
      throw new InvalidNodeError('not a link to a tree node')
    return this.link()
  }

  end(): void {
    if (this.#at !== this.#text.length) throw new InvalidNodeError('bytes after the end of a tree node')
  }
}

/** The root of a repository without records. */
export const EMPTY_ROOT: Cid = cidForCbor(encodeNode({ left: null, entries: [] }))
