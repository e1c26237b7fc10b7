/**
 * The blocks of an archive, on the disk while it is imported: written in the order they come, found by their CIDs.
 *
 * An archive may name its blocks in any order and be of any size, so neither its blocks nor even their CIDs are kept in memory. The
 * file is the archive itself, read in pages; where each block lies in it says a hash table of a fixed size, and when that is full it goes to the disk as it
 * is and the next begins. A block in a table on the disk costs one short read to find.
 *
 * Reads are synchronous: they come in short runs, from pages that were written a moment ago.
 */
import { randomInt } from 'node:crypto'
import { readSync } from 'node:fs'
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises'
import path from 'node:path'
import { CID_BYTES, type Cid } from '#protocol/cid.ts'

/** Slots of a table, a power of two. */
const SLOTS = 2 ** 18
/** Filled further, chains of neighbours grow long. */
const FILLED_SLOTS_MAX = SLOTS * 0.7
/** The digest's first 32 bits, the length of CID and block, and where they lie in the file. */
const SLOT_BYTES = 16
/** Slots of a table on the disk that are read at once. */
const PROBE_SLOTS = 32
/** The archive is read in pages: most archives have blocks that are asked for together near each other. */
const PAGE_BYTES = 16 * 1024
const PAGES_KEPT_MAX = 512

export class BlockSpool implements AsyncDisposable {
  readonly #archive: FileHandle
  readonly #sealed: FileHandle
  #sealedCount = 0
  #written = 0
  #table = new Table()
  /** Nobody who makes an archive can know where its blocks will lie in the table. */
  readonly #factor = randomInt(2 ** 31) * 2 + 1
  readonly #probe = new Table(PROBE_SLOTS)
  /** The page with the number n is kept at n modulo their count. */
  readonly #pages: { number: number; bytes: Buffer }[] = []

  private constructor(archive: FileHandle, sealed: FileHandle) {
    this.#archive = archive
    this.#sealed = sealed
  }

  /** Opens an empty spool in a folder. Its files have no names, so that they go with the process however that ends. */
  static async open(folder: string): Promise<BlockSpool> {
    await mkdir(folder, { recursive: true })
    const archive = await openNameless(folder)
    try {
      return new BlockSpool(archive, await openNameless(folder))
    } catch (error) {
      await archive.close()
      throw error
    }
  }

  /** Appends bytes of the archive. */
  async write(chunk: Uint8Array): Promise<void> {
    for (let done = 0; done < chunk.length; ) {
      const { bytesWritten } = await this.#archive.write(
        chunk,
        done,
        chunk.length - done,
        this.#written + done,
      )
      done += bytesWritten
    }
    this.#written += chunk.length
  }

  /**
   * Notes where a block lies.
   * @param at the byte of the archive at which its CID stands; the block follows
   * @param length bytes of the block
   * @returns what to wait for when the table was full, before anything else is done with the spool
   */
  note(cid: Cid, at: number, length: number): Promise<void> | undefined {
    const tag = tagOf(cid)
    this.#table.put(this.#slotOf(tag), tag, at, CID_BYTES + length)
    return this.#table.filled < FILLED_SLOTS_MAX ? undefined : this.#seal()
  }

  /** The block of this CID, as the archive has it; undefined when it has none. */
  get(cid: Cid): Buffer | undefined {
    const tag = tagOf(cid)
    const first = this.#slotOf(tag)
    for (let slot = first; ; slot = (slot + 1) & (SLOTS - 1)) {
      const at = this.#table.at(slot)
      if (at === 0) break
      const block = this.#table.tag(slot) === tag ? this.#read(cid, at, this.#table.length(slot)) : undefined
      if (block !== undefined) return block
    }
    for (let table = this.#sealedCount - 1; table >= 0; table--) {
      const block = this.#getSealed(table, first, tag, cid)
      if (block !== undefined) return block
    }
    return undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#archive.close()
    await this.#sealed.close()
  }

  async #seal(): Promise<void> {
    const { bytes } = this.#table
    for (let done = 0; done < bytes.length; ) {
      const at = this.#sealedCount * SLOTS * SLOT_BYTES + done
      done += (await this.#sealed.write(bytes, done, bytes.length - done, at)).bytesWritten
    }
    this.#sealedCount++
    this.#table = new Table()
  }

  #getSealed(table: number, first: number, tag: number, cid: Cid): Buffer | undefined {
    const probe = this.#probe
    for (let slot = first; ; ) {
      const count = Math.min(PROBE_SLOTS, SLOTS - slot)
      readAll(this.#sealed, probe.bytes, count * SLOT_BYTES, (table * SLOTS + slot) * SLOT_BYTES)
      for (let i = 0; i < count; i++) {
        const at = probe.at(i)
        if (at === 0) return undefined
        const block = probe.tag(i) === tag ? this.#read(cid, at, probe.length(i)) : undefined
        if (block !== undefined) return block
      }
      slot = (slot + count) & (SLOTS - 1)
    }
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
    readAll(this.#archive, bytes, Math.min(PAGE_BYTES, this.#written - start), start)
    this.#pages[place] = { number, bytes }
    return bytes
  }

  #slotOf(tag: number): number {
    return Math.imul(tag, this.#factor) >>> (32 - Math.log2(SLOTS))
  }
}

/** Slots side by side. A slot whose place is 0 is empty: no block lies at the beginning of a file. */
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

/** The first 32 bits of a CID's digest. */
function tagOf(cid: Cid): number {
  return (
    ((cid.charCodeAt(4) << 24) | (cid.charCodeAt(5) << 16) | (cid.charCodeAt(6) << 8) | cid.charCodeAt(7)) >>>
    0
  )
}

async function openNameless(folder: string): Promise<FileHandle> {
  const name = path.join(folder, `${process.pid}-${randomInt(2 ** 47)}.spool`)
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
