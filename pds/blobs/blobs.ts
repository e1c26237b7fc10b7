/** Blobs: received, told apart, and handed out once a record refers to them. Where their bytes lie is left to `disk.ts`. */
import type { Readable } from 'node:stream'
import { fileTypeFromBuffer } from 'file-type'
import type { Cid } from '#protocol/cid.ts'
import type { Store } from '../store/store.ts'
import type { DiskBlobs } from './disk.ts'

/** A blob that may be referred to by a record. */
export interface UploadedBlob {
  readonly cid: Cid
  readonly mimeType: string
  /** Bytes. */
  readonly size: number
}

/** A blob that a record refers to, with its bytes. */
export interface OpenedBlob {
  readonly mimeType: string
  readonly size: number
  readonly stream: Readable
}

/** The blob was taken down: it is not received again. */
export class BlobTakendownError extends Error {
  override name = 'BlobTakendownError'
}

export class Blobs {
  readonly #store: Store
  readonly #disk: DiskBlobs
  readonly #bytesMax: number

  constructor(store: Store, disk: DiskBlobs, { bytesMax }: { bytesMax: number }) {
    this.#store = store
    this.#disk = disk
    this.#bytesMax = bytesMax
  }

  /**
   * Receives a blob; it is temporary until a record refers to it.
   * @param claimedType what the caller says it is; what the bytes say counts for more
   * @throws BlobTooLargeError, BlobTakendownError
   */
  async upload(
    owner: { id: number; did: string },
    stream: AsyncIterable<Uint8Array>,
    claimedType: string,
  ): Promise<UploadedBlob> {
    const file = await this.#disk.receive(stream, this.#bytesMax)
    const mimeType = (await fileTypeFromBuffer(file.head))?.mime ?? claimedType
    await this.#disk.keep(owner.did, file)
    await this.#store.db.write((tx) => {
      const known = this.#store.blobs.get(owner.id, file.cid)
      if (known?.takedownRef) throw new BlobTakendownError('Blob has been takendown, cannot re-upload')
      this.#store.blobs.put(tx, owner.id, file.cid, { mimeType, size: file.size })
    })
    const stored = this.#store.blobs.get(owner.id, file.cid)
    return { cid: file.cid, size: file.size, mimeType: stored?.mimeType ?? mimeType }
  }

  /** A blob that a present record refers to; undefined when there is none, or it was taken down. */
  read(owner: { id: number; did: string }, cid: Cid): OpenedBlob | undefined {
    const blob = this.#store.blobs.get(owner.id, cid)
    if (blob === undefined || blob.takedownRef !== null || !this.#store.blobs.isReferenced(owner.id, cid))
      return undefined
    return { mimeType: blob.mimeType, size: blob.size, stream: this.#disk.read(owner.did, cid) }
  }

  /** The blobs that records refer to, in the order of their CIDs: those after `cursor`, from revisions after `since`. */
  list(owner: { id: number }, options: { since?: string; cursor?: Cid; limit: number }): Cid[] {
    return this.#store.blobs.list(owner.id, options.since ?? '', options.cursor ?? '', options.limit)
  }
}
