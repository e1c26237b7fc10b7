/**
 * S3 servers as processes of their own: a strict one of ours (`s3-server.ts`), which can also fail
 * on purpose, and one of the field.
 */
import path from 'node:path'
import { DeleteObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { freePort, startProcess, temporaryFolder } from './processes.ts'

export interface S3Server extends AsyncDisposable {
  /** The settings of a PDS that keeps its blobs in this bucket. */
  env(bucket: string): Record<string, string>
  /** The keys of all objects, each after its bucket. */
  keys(): Promise<string[]>
  /** Removes an object, as somebody does who clears away the wrong one. */
  remove(bucket: string, key: string): Promise<void>
}

/** Removes objects of an S3 server. */
const removing = (url: string, [accessKeyId, secretAccessKey]: readonly [string, string]) => {
  const client = new S3Client({
    region: 'us-east-1',
    endpoint: url,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  })
  return {
    client,
    remove: async (bucket: string, key: string) => {
      await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }))
    },
  }
}

const envOf =
  (url: string, [id, secret]: readonly [string, string]) =>
  (bucket: string) => ({
    PDS_BLOBSTORE_S3_BUCKET: bucket,
    PDS_BLOBSTORE_S3_REGION: 'us-east-1',
    PDS_BLOBSTORE_S3_ENDPOINT: url,
    PDS_BLOBSTORE_S3_FORCE_PATH_STYLE: 'true',
    PDS_BLOBSTORE_S3_ACCESS_KEY_ID: id,
    PDS_BLOBSTORE_S3_SECRET_ACCESS_KEY: secret,
  })

/** Starts ours. */
export async function startS3(): Promise<S3Server> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const [id, secret] = ['key-of-the-tests', 'secret/of+the=tests']
  const running = await startProcess({
    file: 'test/support/s3-server.ts',
    env: { S3_ACCESS_KEY_ID: id, S3_SECRET_ACCESS_KEY: secret, S3_PORT: String(port) },
    ready: url,
  })
  const { client, remove } = removing(url, [id, secret])
  return {
    env: envOf(url, [id, secret]),
    keys: async () => (await (await fetch(url)).json()) as string[],
    remove,
    [Symbol.asyncDispose]: async () => {
      client.destroy()
      await running.stop()
    },
  }
}

const BUCKET = 'blobs'

/** Starts `s3rver` with one bucket, `blobs`. It looks neither at signatures nor at digests. */
export async function startS3rver(): Promise<S3Server> {
  const folder = temporaryFolder()
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const credentials = ['S3RVER', 'S3RVER'] as const
  const args = ['--address', '127.0.0.1', '--port', String(port), '--directory', folder.path]
  const running = await startProcess({
    file: path.join('node_modules', 's3rver', 'bin', 's3rver.js'),
    args: [...args, '--no-vhost-buckets', '--configure-bucket', BUCKET],
    ready: /listening/i,
  })
  const { client, remove } = removing(url, credentials)
  return {
    env: envOf(url, credentials),
    remove,
    keys: async () => {
      const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: BUCKET }))
      return Contents.map(({ Key }) => `${BUCKET}/${Key}`)
    },
    [Symbol.asyncDispose]: async () => {
      client.destroy()
      await running.stop()
      folder[Symbol.dispose]()
    },
  }
}
