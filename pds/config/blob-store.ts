/** Where blobs lie, and where uploads are received. */
import path from 'node:path'
import type { Env } from '#platform/env.ts'

/** A bucket, and how it is reached. */
export interface S3Settings {
  readonly bucket: string
  readonly region: string | undefined
  readonly endpoint: string | undefined
  readonly forcePathStyle: boolean | undefined
  /** Left out: found as the AWS tools find them. */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined
  readonly uploadTimeoutMs: number
  readonly requestTimeoutMs: number | undefined
}

export interface BlobStoreConfig {
  readonly store: { readonly kind: 'disk'; readonly folder: string } | ({ readonly kind: 's3' } & S3Settings)
  /** Where uploads are received. */
  readonly temporary: string
}

/** The name in `@atproto/pds`. */
const TEMPORARY_FOLDER = 'tempt'
const S3_UPLOAD_MS_MAX = 20_000

/** Blobs lie on S3 when a bucket is named, on the disk otherwise. */
export function blobStore(env: Env, dataDirectory: string): BlobStoreConfig {
  const folder = env.string('PDS_BLOBSTORE_DISK_LOCATION')
  const temporary = env.string('PDS_BLOBSTORE_DISK_TMP_LOCATION')
  const bucket = env.string('PDS_BLOBSTORE_S3_BUCKET')
  if (bucket === undefined) {
    const place = folder ?? path.join(dataDirectory, 'blocks')
    return {
      store: { kind: 'disk', folder: place },
      temporary: temporary ?? path.join(place, TEMPORARY_FOLDER),
    }
  }
  if (folder !== undefined)
    env.fault('PDS_BLOBSTORE_S3_BUCKET', 'cannot be set together with PDS_BLOBSTORE_DISK_LOCATION')
  const accessKeyId = env.string('PDS_BLOBSTORE_S3_ACCESS_KEY_ID')
  const secretAccessKey = env.string('PDS_BLOBSTORE_S3_SECRET_ACCESS_KEY')
  if (accessKeyId === undefined && secretAccessKey !== undefined)
    env.fault('PDS_BLOBSTORE_S3_ACCESS_KEY_ID', 'must be set with PDS_BLOBSTORE_S3_SECRET_ACCESS_KEY')
  if (accessKeyId !== undefined && secretAccessKey === undefined)
    env.fault('PDS_BLOBSTORE_S3_SECRET_ACCESS_KEY', 'must be set with PDS_BLOBSTORE_S3_ACCESS_KEY_ID')
  return {
    store: {
      kind: 's3',
      bucket,
      region: env.string('PDS_BLOBSTORE_S3_REGION'),
      endpoint: env.url('PDS_BLOBSTORE_S3_ENDPOINT'),
      forcePathStyle: env.bool('PDS_BLOBSTORE_S3_FORCE_PATH_STYLE'),
      credentials:
        accessKeyId === undefined || secretAccessKey === undefined
          ? undefined
          : { accessKeyId, secretAccessKey },
      uploadTimeoutMs: env.int('PDS_BLOBSTORE_S3_UPLOAD_TIMEOUT_MS') || S3_UPLOAD_MS_MAX,
      requestTimeoutMs: env.int('PDS_BLOBSTORE_S3_REQUEST_TIMEOUT_MS'),
    },
    temporary: temporary ?? path.join(dataDirectory, TEMPORARY_FOLDER),
  }
}
