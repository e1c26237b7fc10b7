/**
 * Blobs as objects of an S3 bucket: `blocks/<did>/<cid>`, as `@atproto/pds` stores them.
 *
 * A blob is received on the local disk first and then sent in one request, under its final name and
 * with its digest: the bucket never holds partial or temporary blobs, and rejects bytes corrupted
 * in transit.
 */

import { createReadStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { DomainError } from '#platform/errors.ts'
import { type Cid, cidToBytes, formatCid } from '#protocol/cid.ts'
import type { BlobFiles, ByteRange } from './files.ts'
import type { ReceivedFile } from './uploads.ts'

export interface S3Options {
  readonly bucket: string
  readonly region: string | undefined
  readonly endpoint: string | undefined
  /** `<endpoint>/<bucket>/<key>` instead of `<bucket>.<endpoint>/<key>`. */
  readonly forcePathStyle: boolean | undefined
  /** Left out: found as the AWS tools find them. */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined
  /** A whole upload, its repetitions included. */
  readonly uploadTimeoutMs: number
  /** A request on which nothing moves. */
  readonly requestTimeoutMs: number | undefined
}

const UPLOAD_ATTEMPTS_MAX = 3
const CONNECTION_MS_MAX = 5_000
/**
 * Where nothing moves for this long, with regard to the time of an upload: a reader may pause for a
 * few seconds.
 */
const STALL_MS_MIN = 6_000
const STALL_MS_MAX = 15_000

export class S3Blobs implements BlobFiles {
  readonly #client: S3Client
  readonly #bucket: string
  readonly #uploadTimeoutMs: number

  constructor({ bucket, uploadTimeoutMs, requestTimeoutMs, ...options }: S3Options) {
    this.#bucket = bucket
    this.#uploadTimeoutMs = uploadTimeoutMs
    this.#client = new S3Client({
      ...options,
      // Errors are thrown, and logged by the caller.
      logger: { debug() {}, info() {}, warn() {}, error() {} },
      // Checksums of the newest kind are not understood by every server that speaks S3; ours are
      // explicit.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: {
        connectionTimeout: CONNECTION_MS_MAX,
        requestTimeout: requestTimeoutMs ?? Math.max(Math.min(uploadTimeoutMs, STALL_MS_MAX), STALL_MS_MIN),
      },
    })
  }

  async open(): Promise<void> {}

  async keep(did: string, { cid, size, path: file }: ReceivedFile): Promise<void> {
    const ended = AbortSignal.timeout(this.#uploadTimeoutMs)
    for (let attempt = 1; ; attempt++) {
      // The library cannot begin a stream again, so the repetitions are here.
      const body = createReadStream(file)
      try {
        await this.#client.send(
          new PutObjectCommand({
            ...this.#place(did, cid),
            Body: body,
            ContentLength: size,
            ChecksumSHA256: cidToBytes(cid).subarray(-32).toString('base64'),
          }),
          { abortSignal: ended },
        )
        break
      } catch (error) {
        if (ended.aborted || (isTimeout(error) && attempt === UPLOAD_ATTEMPTS_MAX)) {
          throw new DomainError('timedOut', 'Operation timed out, please try again.', undefined, {
            cause: error,
          })
        }
        if (attempt === UPLOAD_ATTEMPTS_MAX || isRefusal(error)) throw error
      } finally {
        body.destroy()
      }
    }
    await rm(file, { force: true })
  }

  async read(did: string, cid: Cid, range?: ByteRange): Promise<Readable | undefined> {
    try {
      const answer = await this.#client.send(
        new GetObjectCommand({
          ...this.#place(did, cid),
          Range: range && `bytes=${range.first}-${range.last}`,
        }),
      )
      // Under Node it is a stream of Node's.
      return answer.Body as Readable | undefined
    } catch (error) {
      if ((error as Error).name === 'NoSuchKey') return undefined
      throw error
    }
  }

  async size(did: string, cid: Cid): Promise<number | undefined> {
    try {
      return (await this.#client.send(new HeadObjectCommand(this.#place(did, cid)))).ContentLength
    } catch (error) {
      // An answer to HEAD has no body, and so no name of what is not there; a bucket that is not
      // there says 404 as well.
      if ((error as Error).name === 'NotFound') return undefined
      throw error
    }
  }

  async remove(did: string, cid: Cid): Promise<void> {
    await this.#client.send(new DeleteObjectCommand(this.#place(did, cid)))
  }

  [Symbol.dispose](): void {
    this.#client.destroy()
  }

  #place(did: string, cid: Cid): { Bucket: string; Key: string } {
    return { Bucket: this.#bucket, Key: `blocks/${did}/${formatCid(cid)}` }
  }
}

/** Whether the server understood and will not, however often it is asked. */
function isRefusal(error: unknown): boolean {
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode
  return status !== undefined && status < 500
}

function isTimeout(error: unknown): boolean {
  const { name } = error as Error
  return name === 'AbortError' || name === 'TimeoutError'
}
