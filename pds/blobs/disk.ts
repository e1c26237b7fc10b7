/**
 * Blobs as files: `<folder>/<did>/<cid>`. A file is complete and synced, with its folder's entry,
 * before its blob is reported as stored.
 */
import { copyFile, mkdir, open, rename, rm, rmdir, stat } from 'node:fs/promises'
import path from 'node:path'
import type { Readable } from 'node:stream'
import { crashPoint } from '#platform/crash-points.ts'
import { makePrivateFolder } from '#platform/private-files.ts'
import { type Cid, formatCid } from '#protocol/cid.ts'
import type { DiskSpace } from '../limits/disk-space.ts'
import type { BlobFiles, ByteRange } from './files.ts'
import type { ReceivedFile } from './uploads.ts'

const MOVE_ATTEMPTS_MAX = 5
/** Behind a blob's name: its bytes on their way from another file system. */
const UNFINISHED = '.copy'

export class DiskBlobs implements BlobFiles {
  readonly #folder: string
  readonly #disk: DiskSpace

  constructor(folder: string, disk: DiskSpace) {
    this.#folder = folder
    this.#disk = disk
  }

  async open(): Promise<void> {
    makePrivateFolder(this.#folder)
  }

  async keep(did: string, { cid, size, path: file }: ReceivedFile): Promise<void> {
    const folder = path.join(this.#folder, did)
    crashPoint('blob.beforeRename')
    for (let attempt = 1; ; attempt++) {
      await mkdir(folder, { recursive: true })
      try {
        await this.#move(file, path.join(folder, formatCid(cid)), size)
        break
      } catch (error) {
        // The account's last blob may go, and its folder with it, between the two.
        if (!isCode(error, 'ENOENT') || attempt === MOVE_ATTEMPTS_MAX) throw error
      }
    }
    await sync(folder)
    await sync(this.#folder)
    crashPoint('blob.beforeRow')
  }

  async read(did: string, cid: Cid, range?: ByteRange): Promise<Readable | undefined> {
    try {
      const file = await open(path.join(this.#folder, did, formatCid(cid)))
      return file.createReadStream(range && { start: range.first, end: range.last })
    } catch (error) {
      if (isCode(error, 'ENOENT')) return undefined
      throw error
    }
  }

  async size(did: string, cid: Cid): Promise<number | undefined> {
    try {
      return (await stat(path.join(this.#folder, did, formatCid(cid)))).size
    } catch (error) {
      if (isCode(error, 'ENOENT')) return undefined
      throw error
    }
  }

  async remove(did: string, cid: Cid): Promise<void> {
    const folder = path.join(this.#folder, did)
    for (const name of [formatCid(cid), formatCid(cid) + UNFINISHED])
      await rm(path.join(folder, name), { force: true })
    // With its last blob an account's folder goes.
    await rmdir(folder).catch(() => undefined)
  }

  /**
   * Moves a synced file, also from another file system: then by way of a synced copy beside its
   * place.
   */
  async #move(from: string, to: string, bytes: number): Promise<void> {
    try {
      await rename(from, to)
    } catch (error) {
      if (!isCode(error, 'EXDEV')) throw error
      await this.#disk.claim(this.#folder, bytes)
      // What a crash leaves under this name goes with the blob, whose place is marked as orphaned
      // until its row is there.
      const copy = to + UNFINISHED
      try {
        await copyFile(from, copy)
        await sync(copy)
        await rename(copy, to)
      } finally {
        await rm(copy, { force: true })
      }
      await rm(from)
    }
  }
}

async function sync(fileOrFolder: string): Promise<void> {
  const handle = await open(fileOrFolder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function isCode(error: unknown, code: string): boolean {
  return (error as NodeJS.ErrnoException).code === code
}
