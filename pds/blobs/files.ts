/** Where blobs' bytes lie: on disk (`disk.ts`) or on S3 (`s3.ts`). Which blobs there are, and whose, the database says. */
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
  /** Makes a received file an account's blob and takes the file. Durable when it resolves; the same blob again changes nothing. */
  keep(did: string, file: ReceivedFile): Promise<void>
  /** The bytes of a blob, or a run of them; undefined when there is no such blob. */
  read(did: string, cid: Cid, range?: ByteRange): Promise<Readable | undefined>
  /** How many bytes there are of a blob; undefined when there is no such blob. What cannot be told is an error. */
  size(did: string, cid: Cid): Promise<number | undefined>
  /** Removes a blob; one that is not there is removed already. */
  remove(did: string, cid: Cid): Promise<void>
}
