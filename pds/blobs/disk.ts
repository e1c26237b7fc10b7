/**
 * Blobs as files: `<folder>/<did>/<cid>`. A file is whole and on the disk, its folder's entry too, before anybody is told of it.
 */
import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import type { Readable } from 'node:stream'
import { crashPoint } from '#platform/crash-points.ts'
import { type Cid, cidForRawDigest, formatCid } from '#protocol/cid.ts'

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
export class BlobTooLargeError extends Error {
  override name = 'BlobTooLargeError'
  readonly bytesMax: number
  constructor(bytesMax: number) {
    super(`This file is too large. It is larger than ${bytesMax} bytes.`)
    this.bytesMax = bytesMax
  }
}

const HEAD_BYTES = 4100
const UNFINISHED = '.upload'

export class DiskBlobs {
  readonly #folder: string
  readonly #temporary: string

  constructor(folder: string, temporary = path.join(folder, 'tempt')) {
    this.#folder = folder
    this.#temporary = temporary
  }

  /** Makes the folders, and clears away what an earlier process did not finish receiving. */
  async open(): Promise<void> {
    await mkdir(this.#folder, { recursive: true })
    await mkdir(this.#temporary, { recursive: true })
    for (const name of await readdir(this.#temporary)) {
      // The folder may be the operator's own choice and hold other things.
      if (name.endsWith(UNFINISHED)) await rm(path.join(this.#temporary, name), { force: true })
    }
  }

  /**
   * Writes a stream to a temporary file, synced.
   * @throws BlobTooLargeError; what the stream throws
   */
  async receive(stream: AsyncIterable<Uint8Array>, bytesMax: number): Promise<ReceivedFile> {
    const file = path.join(this.#temporary, randomUUID() + UNFINISHED)
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

  /** Makes a received file an account's blob. Durable when it resolves; the same blob again changes nothing. */
  async keep(did: string, { cid, path: file }: ReceivedFile): Promise<void> {
    const folder = path.join(this.#folder, did)
    try {
      await mkdir(folder, { recursive: true })
      crashPoint('blob.beforeRename')
      await rename(file, path.join(folder, formatCid(cid)))
    } catch (error) {
      await rm(file, { force: true })
      throw error
    }
    await syncFolder(folder)
    await syncFolder(this.#folder)
    crashPoint('blob.beforeRow')
  }

  /** The bytes of a blob. The stream fails with ENOENT when there is none. */
  read(did: string, cid: Cid): Readable {
    return createReadStream(path.join(this.#folder, did, formatCid(cid)))
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
