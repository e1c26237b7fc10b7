/**
 * Where blobs are stored: disk (`disk.ts`) or S3 (`s3.ts`). The database says which blobs exist.
 */
import type { Readable } from 'node:stream'
import type { Cid } from '#protocol/cid.ts'
import type { ReceivedFile } from './uploads.ts'

/** A run of bytes: both ends belong to it. */
export interface ByteRange {
  readonly first: number
  readonly last: number
}

export interface BlobFiles extends Partial<Disposable> {
  /** Makes sure that there is a place for them. */
  open(): Promise<void>
  /**
   * Moves a received file to its place as an account's blob. Durable when it resolves; storing the
   * same blob again changes nothing.
   */
  keep(did: string, file: ReceivedFile): Promise<void>
  /** The bytes of a blob, or a run of them; undefined when there is no such blob. */
  read(did: string, cid: Cid, range?: ByteRange): Promise<Readable | undefined>
  /**
   * The size of a blob; undefined when there is no such blob. Throws when that cannot be
   * determined.
   */
  size(did: string, cid: Cid): Promise<number | undefined>
  /** Removes a blob; one that is not there is removed already. */
  remove(did: string, cid: Cid): Promise<void>
}
