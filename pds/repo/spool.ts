/**
 * The blocks of an archive, on the disk while it is imported: written in the order they come, each
 * once, found by their CIDs.
 *
 * An archive may name its blocks in any order and be of any size, so neither its blocks nor even
 * their CIDs are kept in memory. Where each block lies in the file says a hash table of a fixed
 * size, and when that is full it goes to the disk as it is and the next begins. A block in a table
 * on the disk costs one short read to find; a bitmap says of most that they are in none.
 *
 * Reads are synchronous: they come in short runs, from pages that were written a moment ago.
 */

import { randomInt } from 'node:crypto'
import { readSync } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { DomainError } from '#platform/errors.ts'
import { CID_BYTES, type Cid } from '#protocol/cid.ts'
import type { DiskSpace } from '../limits/disk-space.ts'

/** Slots of a table, a power of two. */
const SLOTS = 2 ** 18
/** Above this load, probe sequences grow long. */
const FILLED_SLOTS_MAX = SLOTS * 0.7
/** A tag of the digest, the length of CID and block, and where they lie in the file. */
const SLOT_BYTES = 16
/** Slots of a table on the disk that are read at once. */
const PROBE_SLOTS = 32
/** Blocks are written in runs of this size. */
const PENDING_BYTES = 256 * 1024
/** Several times what the largest accounts have. */
const BLOCKS_MAX = 8_000_000
/** Of a tag, by which a bit says whether a block may be in a table on the disk: 8 MiB of bits. */
const TAG_BITS = 26
const SUFFIX = '.spool'
/**
 * The archive is read in pages: most archives have blocks that are asked for together near each
 * other.
 */
const PAGE_BYTES = 16 * 1024
const PAGES_KEPT_MAX = 512

export class BlockSpool implements AsyncDisposable {
  readonly #blocks: FileHandle
  readonly #sealed: FileHandle
  readonly #folder: string
  readonly #disk: DiskSpace
  #sealedCount = 0
  /** A bit for what is in tables on the disk, by tags. */
  #sealedTags: Uint32Array | undefined
  /** Where the next block comes to lie; the first byte of the file stays empty. */
  #end = 1
  #written = 1
  #pending = Buffer.allocUnsafeSlow(PENDING_BYTES)
  #count = 0
  #table = new Table()
  /** Unpredictable, so that an archive's author cannot choose colliding slots or equal tags. */
  readonly #factors = Array.from({ length: 3 }, () => randomInt(2 ** 31) * 2 + 1) as [number, number, number]
  readonly #probe = new Table(PROBE_SLOTS)
  readonly #cid = Buffer.allocUnsafeSlow(CID_BYTES)
  /** The page with the number n is kept at n modulo their count. */
  readonly #pages: { number: number; bytes: Buffer }[] = []

  private constructor(blocks: FileHandle, sealed: FileHandle, folder: string, disk: DiskSpace) {
    this.#blocks = blocks
    this.#sealed = sealed
    this.#folder = folder
    this.#disk = disk
  }

  /**
   * Opens an empty spool in a folder. Its files have no names, so that they go with the process
   * however that ends.
   * @throws DomainError
   */
  static async open(folder: string, disk: DiskSpace): Promise<BlockSpool> {
    await mkdir(folder, { recursive: true })
    await disk.claim(folder, 0)
    const blocks = await openNameless(folder)
    try {
      return new BlockSpool(blocks, await openNameless(folder), folder, disk)
    } catch (error) {
      await blocks.close()
      throw error
    }
  }

  /**
   * Removes what a process left that ended between making a spool's file and taking its name away.
   */
  static async clear(folder: string): Promise<void> {
    await mkdir(folder, { recursive: true })
    for (const name of await readdir(folder))
      if (name.endsWith(SUFFIX)) await rm(path.join(folder, name), { force: true })
  }

  /** Bytes of the blocks, each counted once. */
  get bytes(): number {
    return this.#end - 1
  }

  /**
   * Takes a block, unless it is there already.
   * @returns what to wait for, if anything, before anything else is done with the spool
   * @throws DomainError; by way of the promise, DomainError
   */
  add(cid: Cid, block: Uint8Array): Promise<void> | undefined {
    const tag = this.#tagOf(cid)
    const length = CID_BYTES + block.length
    if (this.#has(cid, tag, length)) return undefined
    if (this.#count === BLOCKS_MAX)
      throw new DomainError('tooLarge', `the archive has more than ${BLOCKS_MAX} blocks`)
    this.#count++
    this.#table.put(this.#slotOf(tag), tag, this.#end, length)
    this.#end += length
    const at = this.#end - length - this.#written
    if (at + length > PENDING_BYTES) return this.#addAfterFlush(cid, block, at)
    this.#pending.write(cid, at, 'latin1')
    this.#pending.set(block, at + CID_BYTES)
    return this.#table.filled < FILLED_SLOTS_MAX ? undefined : this.#seal()
  }

  /** To be called when there are no more blocks; then they can be read. */
  async finish(): Promise<void> {
    await this.#flush(this.#end - this.#written)
  }

  /**
   * The block of this CID, as the archive has it; undefined when it has none. Only once the spool
   * is finished.
   */
  get(cid: Cid): Buffer | undefined {
    return this.#find(this.#tagOf(cid), (at, length) => this.#read(cid, at, length))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#blocks.close()
    await this.#sealed.close()
  }

  /** What the probe makes of the first block with this tag of which it makes anything. */
  #find<T>(tag: number, probe: (at: number, length: number) => T | undefined): T | undefined {
    const first = this.#slotOf(tag)
    for (let slot = first; ; slot = (slot + 1) & (SLOTS - 1)) {
      const at = this.#table.at(slot)
      if (at === 0) break
      const found = this.#table.tag(slot) === tag ? probe(at, this.#table.length(slot)) : undefined
      if (found !== undefined) return found
    }
    if (this.#sealedTags === undefined || !hasBit(this.#sealedTags, tag)) return undefined
    for (let table = this.#sealedCount - 1; table >= 0; table--) {
      const found = this.#findSealed(table, first, tag, probe)
      if (found !== undefined) return found
    }
    return undefined
  }

  #findSealed<T>(
    table: number,
    first: number,
    tag: number,
    probe: (at: number, length: number) => T | undefined,
  ): T | undefined {
    const slots = this.#probe
    for (let slot = first; ; ) {
      const count = Math.min(PROBE_SLOTS, SLOTS - slot)
      readAll(this.#sealed, slots.bytes, count * SLOT_BYTES, (table * SLOTS + slot) * SLOT_BYTES)
      for (let i = 0; i < count; i++) {
        const at = slots.at(i)
        if (at === 0) return undefined
        const found = slots.tag(i) === tag ? probe(at, slots.length(i)) : undefined
        if (found !== undefined) return found
      }
      slot = (slot + count) & (SLOTS - 1)
    }
  }

  /**
   * Whether the block is there: blocks of one CID are the same, since each was checked against it.
   */
  #has(cid: Cid, tag: number, length: number): boolean {
    const probe = (at: number, found: number) =>
      found === length && this.#cidAt(at) === cid ? true : undefined
    return this.#find(tag, probe) ?? false
  }

  #cidAt(at: number): string {
    if (at >= this.#written)
      return this.#pending.toString('latin1', at - this.#written, at - this.#written + CID_BYTES)
    readAll(this.#blocks, this.#cid, CID_BYTES, at)
    return this.#cid.toString('latin1')
  }

  /** @param pending bytes that are before the block */
  async #addAfterFlush(cid: Cid, block: Uint8Array, pending: number): Promise<void> {
    await this.#flush(pending)
    const section = CID_BYTES + block.length
    const isLarge = section > PENDING_BYTES
    const buffer = isLarge ? Buffer.allocUnsafe(section) : this.#pending
    buffer.write(cid, 0, 'latin1')
    buffer.set(block, CID_BYTES)
    if (isLarge) await this.#write(buffer)
    if (this.#table.filled >= FILLED_SLOTS_MAX) await this.#seal()
  }

  async #flush(pending: number): Promise<void> {
    if (pending > 0) await this.#write(this.#pending.subarray(0, pending))
  }

  async #write(bytes: Buffer): Promise<void> {
    await this.#disk.claim(this.#folder, bytes.length)
    await writeAll(this.#blocks, bytes, this.#written)
    this.#written += bytes.length
  }

  async #seal(): Promise<void> {
    const { bytes } = this.#table
    await this.#disk.claim(this.#folder, bytes.length)
    await writeAll(this.#sealed, bytes, this.#sealedCount * SLOTS * SLOT_BYTES)
    this.#sealedCount++
    this.#sealedTags ??= new Uint32Array(2 ** (TAG_BITS - 5))
    for (let slot = 0; slot < SLOTS; slot++)
      if (this.#table.at(slot) !== 0) setBit(this.#sealedTags, this.#table.tag(slot))
    this.#table = new Table()
  }

  /** The block that lies at `at`, if its CID is this one. */
  #read(cid: Cid, at: number, length: number): Buffer | undefined {
    const section = Buffer.allocUnsafe(length)
    for (let done = 0; done < length; ) {
      const page = this.#page(Math.floor((at + done) / PAGE_BYTES))
      done += page.copy(section, done, (at + done) % PAGE_BYTES)
    }
    return section.toString('latin1', 0, CID_BYTES) === cid ? section.subarray(CID_BYTES) : undefined
  }

  #page(number: number): Buffer {
    const place = number % PAGES_KEPT_MAX
    const kept = this.#pages[place]
    if (kept?.number === number) return kept.bytes
    const bytes = kept?.bytes ?? Buffer.allocUnsafeSlow(PAGE_BYTES)
    const start = number * PAGE_BYTES
    readAll(this.#blocks, bytes, Math.min(PAGE_BYTES, this.#written - start), start)
    this.#pages[place] = { number, bytes }
    return bytes
  }

  #slotOf(tag: number): number {
    return Math.imul(tag, this.#factors[2]) >>> (32 - Math.log2(SLOTS))
  }

  #tagOf(cid: Cid): number {
    const [a, b] = this.#factors
    return (Math.imul(wordOf(cid, 4), a) + Math.imul(wordOf(cid, 8), b)) >>> 0
  }
}

/**
 * Slots side by side. A slot whose place is 0 is empty: no block lies at the beginning of a file.
 */
class Table {
  readonly bytes: Buffer
  readonly #words: Uint32Array
  readonly #places: Float64Array
  filled = 0

  constructor(slots = SLOTS) {
    const memory = new ArrayBuffer(slots * SLOT_BYTES)
    this.bytes = Buffer.from(memory)
    this.#words = new Uint32Array(memory)
    this.#places = new Float64Array(memory)
  }

  tag(slot: number): number {
    return this.#words[4 * slot] as number
  }

  length(slot: number): number {
    return this.#words[4 * slot + 1] as number
  }

  at(slot: number): number {
    return this.#places[2 * slot + 1] as number
  }

  put(first: number, tag: number, at: number, length: number): void {
    let slot = first
    while (this.at(slot) !== 0) slot = (slot + 1) & (SLOTS - 1)
    this.#words[4 * slot] = tag
    this.#words[4 * slot + 1] = length
    this.#places[2 * slot + 1] = at
    this.filled++
  }
}

/** 32 bits of a CID. */
function wordOf(cid: Cid, at: number): number {
  return (
    (cid.charCodeAt(at) << 24) |
    (cid.charCodeAt(at + 1) << 16) |
    (cid.charCodeAt(at + 2) << 8) |
    cid.charCodeAt(at + 3)
  )
}

function hasBit(bits: Uint32Array, tag: number): boolean {
  const bit = tag >>> (32 - TAG_BITS)
  return (((bits[bit >>> 5] as number) >>> (bit & 31)) & 1) === 1
}

function setBit(bits: Uint32Array, tag: number): void {
  const bit = tag >>> (32 - TAG_BITS)
  bits[bit >>> 5] = (bits[bit >>> 5] as number) | (1 << (bit & 31))
}

async function openNameless(folder: string): Promise<FileHandle> {
  const name = path.join(folder, `${process.pid}-${randomInt(2 ** 47)}${SUFFIX}`)
  const handle = await open(name, 'wx+', 0o600)
  await rm(name)
  return handle
}

function readAll({ fd }: FileHandle, buffer: Buffer, length: number, position: number): void {
  for (let done = 0; done < length; ) {
    const read = readSync(fd, buffer, done, length - done, position + done)
    if (read === 0) throw new Error('a spooled archive ends too early')
    done += read
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; )
    done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten
}
