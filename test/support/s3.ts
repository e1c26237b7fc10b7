/** S3 servers as processes of their own: a strict one of ours (`s3-server.ts`), which can also fail on purpose, and one of the field. */
import path from 'node:path'
import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { freePort, startProcess, temporaryFolder } from './processes.ts'

export interface S3Server extends AsyncDisposable {
  /** The settings of a PDS that keeps its blobs in this bucket. */
  env(bucket: string): Record<string, string>
  /** The keys of all objects, each after its bucket. */
  keys(): Promise<string[]>
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
  return {
    env: envOf(url, [id, secret]),
    keys: async () => (await (await fetch(url)).json()) as string[],
    [Symbol.asyncDispose]: () => running.stop().then(() => undefined),
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
  const client = new S3Client({
    region: 'us-east-1',
    endpoint: url,
    forcePathStyle: true,
    credentials: { accessKeyId: credentials[0], secretAccessKey: credentials[1] },
  })
  return {
    env: envOf(url, credentials),
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
