/**
 * CAR files, version 1: a header that names the roots, then blocks with their CIDs. Repositories
 * travel in them, whole or as the difference that a commit makes.
 * https://ipld.io/specs/transport/car/carv1/
 */
import { CborError, type CborValue, decode, encode, isMap } from './cbor.ts'
import { CID_BYTES, type Cid, cidFromBytes, formatCid, InvalidCidError, isBlockOf, linkToCid } from './cid.ts'
import { isLink, Link } from './link.ts'

/** The roots and blocks of a CAR file. The blocks are views of the file's bytes. */
export interface Car {
  roots: Cid[]
  blocks: Map<Cid, Uint8Array>
}

/** Bytes that are not a CAR file of this protocol, or a block that is not what its CID names. */
export class CarError extends Error {
  override name = 'CarError'
}

/** Largest header: a few roots of 41 bytes each. */
export const carHeaderBytesMax = 4096

/** Largest block, CID included: records are limited to 1 MB, and no tree node comes near that. */
export const carBlockBytesMax = 2 * 1024 * 1024

/**
 * Reads a CAR file that is in memory. Each block is checked against its CID, unless `verify` is
 * false (for bytes of our own). A block that stands twice is there once.
 * @throws CarError
 */
export function readCar(bytes: Uint8Array, { verify = true }: { verify?: boolean } = {}): Car {
  const file = asBuffer(bytes)
  const header = readSection(file, 0, carHeaderBytesMax)
  const roots = readHeader(file.subarray(header.start, header.end))
  const blocks = new Map<Cid, Uint8Array>()
  let at = header.end
  while (at < file.length) {
    const { start, end } = readSection(file, at, carBlockBytesMax)
    const { cid, block } = readBlock(file, start, end, verify)
    blocks.set(cid, block)
    at = end
  }
  return { roots, blocks }
}

/** A block of a CAR file that comes in chunks. */
export interface CarSection {
  readonly cid: Cid
  /** A view of the chunk that it came in. */
  readonly block: Buffer
}

/**
 * Reads a CAR file chunk by chunk, however it is cut, and keeps no more of it than one unfinished
 * section.
 */
export class CarReader {
  /** What the header names; undefined until it is there. */
  roots: Cid[] | undefined
  #rest: Buffer[] = []
  #restBytes = 0
  /** Bytes without which the section at the beginning of the rest is not whole. */
  #neededBytes = 1

  /**
   * The blocks that are whole with this chunk, each checked against its CID.
   * @throws CarError
   */
  push(chunk: Uint8Array): CarSection[] {
    this.#rest.push(asBuffer(chunk))
    this.#restBytes += chunk.length
    if (this.#restBytes < this.#neededBytes) return []
    const file = this.#rest.length === 1 ? (this.#rest[0] as Buffer) : Buffer.concat(this.#rest)
    const found: CarSection[] = []
    let done = 0
    this.#neededBytes = 1
    while (done < file.length) {
      const bytesMax = this.roots === undefined ? carHeaderBytesMax : carBlockBytesMax
      const section = sectionAt(file, done, bytesMax)
      const end = section?.end ?? file.length + 1
      if (section === undefined || end > file.length) {
        this.#neededBytes = end - done
        break
      }
      if (this.roots === undefined) this.roots = readHeader(file.subarray(section.start, end))
      else found.push(readBlock(file, section.start, end, true))
      done = end
    }
    this.#rest = [file.subarray(done)]
    this.#restBytes = file.length - done
    return found
  }

  /**
   * To be called when there are no more chunks.
   * @throws CarError when the file is not whole
   */
  end(): void {
    if (this.roots === undefined) throw new CarError('the file ends before its header does')
    if (this.#restBytes > 0) throw new CarError('the file ends inside a section')
  }
}

/** The beginning of a CAR file: its header, with one root or none. */
export function carHeader(root: Cid | null): Buffer {
  const header = encode({ version: 1, roots: root === null ? [] : [new Link(root)] })
  return Buffer.concat([varint(header.length), header])
}

/** A block as it stands in a CAR file: length, CID, bytes. */
export function carBlock(cid: Cid, block: Uint8Array): Buffer {
  const length = CID_BYTES + block.length
  const width = varintBytes(length)
  const section = Buffer.allocUnsafe(width + length)
  writeBlock(section, 0, cid, block)
  return section
}

/**
 * Blocks as they stand in a CAR file after each other.
 * @param blocks the blocks back to back, each behind its CID
 * @param lengths the length of each, its CID left out
 */
export function carBlocks(blocks: Buffer, lengths: readonly number[]): Buffer {
  let size = blocks.length
  for (const length of lengths) size += varintBytes(CID_BYTES + length)
  const sections = Buffer.allocUnsafe(size)
  let at = 0
  let from = 0
  for (const length of lengths) {
    const to = from + CID_BYTES + length
    at = writeVarint(sections, at, CID_BYTES + length)
    at += blocks.copy(sections, at, from, to)
    from = to
  }
  return sections
}

/** A whole CAR file, the blocks in the order given. */
export function writeCar(root: Cid | null, blocks: Iterable<[Cid, Uint8Array]>): Buffer {
  const header = carHeader(root)
  const all = [...blocks]
  let size = header.length
  for (const [, block] of all) size += varintBytes(CID_BYTES + block.length) + CID_BYTES + block.length
  const file = Buffer.allocUnsafe(size)
  let at = header.copy(file)
  for (const [cid, block] of all) at = writeBlock(file, at, cid, block)
  return file
}

function writeBlock(file: Buffer, start: number, cid: Cid, block: Uint8Array): number {
  let at = writeVarint(file, start, CID_BYTES + block.length)
  at += file.write(cid, at, 'latin1')
  file.set(block, at)
  return at + block.length
}

/** The section that begins at `at`: where its content stands. */
function readSection(file: Buffer, at: number, bytesMax: number): { start: number; end: number } {
  const section = sectionAt(file, at, bytesMax)
  if (section === undefined) throw new CarError('the file ends inside a length')
  if (section.end > file.length) throw new CarError('the file ends inside a section')
  return section
}

/**
 * The same of a file of which more may come: undefined when its length is not there yet; `end` may
 * lie beyond what is there.
 */
function sectionAt(file: Buffer, at: number, bytesMax: number): { start: number; end: number } | undefined {
  let length = 0
  let shift = 0
  let start = at
  for (;;) {
    const byte = file[start++]
    if (byte === undefined) return undefined
    length |= (byte & 0x7f) << shift
    if (byte < 0x80) {
      if (byte === 0 && shift > 0) throw new CarError('a length that is not in its shortest form')
      break
    }
    shift += 7
    if (shift > 21) throw new CarError('a section that is too long')
  }
  if (length === 0) throw new CarError('an empty section')
  if (length > bytesMax) throw new CarError(`a section of ${length} bytes; ${bytesMax} are allowed`)
  return { start, end: start + length }
}

function readHeader(bytes: Uint8Array): Cid[] {
  let header: CborValue
  try {
    header = decode(bytes)
  } catch (cause) {
    if (cause instanceof CborError)
      throw new CarError(`a header that is not DAG-CBOR: ${cause.message}`, { cause })
    throw cause
  }
  if (!isMap(header) || header.version !== 1) throw new CarError('not a CAR file of version 1')
  if (!Array.isArray(header.roots)) throw new CarError('a header without roots')
  return header.roots.map((root) => {
    if (!isLink(root)) throw new CarError('a root that is not a CID')
    return wrapCid(() => linkToCid(root))
  })
}

function readBlock(file: Buffer, start: number, end: number, verify: boolean): { cid: Cid; block: Buffer } {
  if (end - start < CID_BYTES) throw new CarError('a section too short for a CID')
  const cid = readCid(file, start)
  const block = file.subarray(start + CID_BYTES, end)
  if (verify && !isBlockOf(cid, block))
    throw new CarError(`the block ${formatCid(cid)} is not what its CID names`)
  return { cid, block }
}

function readCid(file: Buffer, at: number): Cid {
  return wrapCid(() => cidFromBytes(file, at))
}

function wrapCid(read: () => Cid): Cid {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof InvalidCidError) throw new CarError(cause.message, { cause })
    throw cause
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function varintBytes(n: number): number {
  return n < 0x80 ? 1 : n < 0x4000 ? 2 : n < 0x200000 ? 3 : n < 0x10000000 ? 4 : 5
}

function varint(n: number): Buffer {
  const bytes = Buffer.allocUnsafe(varintBytes(n))
  writeVarint(bytes, 0, n)
  return bytes
}

function writeVarint(file: Buffer, start: number, n: number): number {
  let at = start
  let rest = n
  while (rest >= 0x80) {
    file[at++] = (rest & 0x7f) | 0x80
    rest = Math.floor(rest / 128)
  }
  file[at++] = rest
  return at
}
