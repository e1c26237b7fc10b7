/** Uploads in progress: files on the local disk, complete and synced before they are used. */

import { createHash, randomUUID } from 'node:crypto'
import { open, readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { DomainError } from '#platform/errors.ts'
import { makeFolder } from '#platform/private-files.ts'
import { type Cid, cidForRawDigest } from '#protocol/cid.ts'
import type { DiskSpace } from '../limits/disk-space.ts'

/** A file that is received and not yet anybody's. */
export interface ReceivedFile {
  readonly cid: Cid
  /** Bytes. */
  readonly size: number
  /** How the file begins, for telling its type. */
  readonly head: Buffer
  readonly path: string
}

/** More bytes than a blob may have. */
export class BlobTooLargeError extends DomainError {
  override name = 'BlobTooLargeError'
  readonly bytesMax: number
  constructor(bytesMax: number) {
    super('tooLarge', `This file is too large: this server takes ${bytesMax} bytes at most`)
    this.bytesMax = bytesMax
  }
}

const HEAD_BYTES = 4100
const UNFINISHED = '.upload'

export class Uploads {
  readonly #folder: string
  readonly #disk: DiskSpace

  constructor(folder: string, disk: DiskSpace) {
    this.#folder = folder
    this.#disk = disk
  }

  /** Makes the folder, and clears away what an earlier process did not finish receiving. */
  async open(): Promise<void> {
    makeFolder(this.#folder)
    for (const name of await readdir(this.#folder)) {
      // The folder may be the operator's own choice and hold other things.
      if (name.endsWith(UNFINISHED)) await rm(path.join(this.#folder, name), { force: true })
    }
  }

  /**
   * Writes a stream to a file, synced.
   * @throws BlobTooLargeError, DomainError; what the stream throws
   */
  async receive(stream: AsyncIterable<Uint8Array>, bytesMax: number): Promise<ReceivedFile> {
    // Before a file is made, and before the sender is asked for more.
    await this.#disk.claim(this.#folder, 0)
    const file = path.join(this.#folder, randomUUID() + UNFINISHED)
    const handle = await open(file, 'wx', 0o600)
    try {
      const hash = createHash('sha256')
      const head: Uint8Array[] = []
      let size = 0
      for await (const chunk of stream) {
        if (size < HEAD_BYTES) head.push(chunk.subarray(0, HEAD_BYTES - size))
        size += chunk.length
        if (size > bytesMax) throw new BlobTooLargeError(bytesMax)
        hash.update(chunk)
        await this.#disk.claim(this.#folder, chunk.length)
        await handle.writeFile(chunk)
      }
      await handle.sync()
      return { cid: cidForRawDigest(hash.digest()), size, head: Buffer.concat(head), path: file }
    } catch (error) {
      await rm(file, { force: true })
      throw error
    } finally {
      await handle.close()
    }
  }

  /** Removes a received file that came to nothing. */
  async discard({ path: file }: ReceivedFile): Promise<void> {
    await rm(file, { force: true })
  }
}
