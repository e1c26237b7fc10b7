/** An S3 server as a process of its own (`s3-server.ts`). */
import { freePort, startProcess } from './processes.ts'

export interface S3Server extends AsyncDisposable {
  /** The settings of a PDS that keeps its blobs in this bucket. */
  env(bucket: string): Record<string, string>
  /** The keys of all objects, each after its bucket. */
  keys(): Promise<string[]>
}

export async function startS3(): Promise<S3Server> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const credentials = { S3_ACCESS_KEY_ID: 'key-of-the-tests', S3_SECRET_ACCESS_KEY: 'secret/of+the=tests' }
  const running = await startProcess({
    file: 'test/support/s3-server.ts',
    env: { ...credentials, S3_PORT: String(port) },
    ready: url,
  })
  return {
    env: (bucket) => ({
      PDS_BLOBSTORE_S3_BUCKET: bucket,
      PDS_BLOBSTORE_S3_REGION: 'us-east-1',
      PDS_BLOBSTORE_S3_ENDPOINT: url,
      PDS_BLOBSTORE_S3_FORCE_PATH_STYLE: 'true',
      PDS_BLOBSTORE_S3_ACCESS_KEY_ID: credentials.S3_ACCESS_KEY_ID,
      PDS_BLOBSTORE_S3_SECRET_ACCESS_KEY: credentials.S3_SECRET_ACCESS_KEY,
    }),
    keys: async () => (await (await fetch(url)).json()) as string[],
    [Symbol.asyncDispose]: () => running.stop().then(() => undefined),
  }
}
