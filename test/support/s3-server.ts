/**
 * A server that speaks as much of S3 as blobs need, in a process of its own: objects put, got
 * (whole and in ranges), asked for and deleted, over signed requests (AWS Signature Version 4)
 * whose bytes are what they say. In memory; a GET of `/` without a signature lists the keys.
 *
 * Beside `s3rver`, because that takes any digest, any signature, and never fails.
 *
 * S3_PORT, S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY say where and for whom. In the bucket `slow`
 * nothing is ever stored, and in the bucket `shaky` every second upload fails.
 */
import { createHash, createHmac } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

const { S3_PORT, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY } = process.env
let shakyUploads = 0
const objects = new Map<string, Buffer>()

const sha256 = (data: string | Buffer) => createHash('sha256').update(data)
const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest()

class Refusal extends Error {
  readonly status: number
  readonly code: string
  constructor(status: number, code: string) {
    super(code)
    this.status = status
    this.code = code
  }
}

/** https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html */
function assertSigned(request: IncomingMessage, url: URL, body: Buffer): void {
  const header = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(.+), ?SignedHeaders=([^,]+), ?Signature=(\w+)$/.exec(
    request.headers.authorization ?? '',
  )
  if (!header) throw new Refusal(403, 'AccessDenied')
  const [, key, scope = '', names = '', signature] = header
  if (key !== S3_ACCESS_KEY_ID) throw new Refusal(403, 'InvalidAccessKeyId')
  const stated = String(request.headers['x-amz-content-sha256'])
  if (stated !== 'UNSIGNED-PAYLOAD' && stated !== sha256(body).digest('hex'))
    throw new Refusal(400, 'XAmzContentSHA256Mismatch')
  const query = [...url.searchParams]
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .sort()
    .join('&')
  const headers = names.split(';').map((name) => `${name}:${String(request.headers[name]).trim()}\n`)
  const canonical = [request.method, url.pathname, query, headers.join(''), names, stated].join('\n')
  const toSign = [
    'AWS4-HMAC-SHA256',
    request.headers['x-amz-date'],
    scope,
    sha256(canonical).digest('hex'),
  ].join('\n')
  const signingKey = scope.split('/').reduce<string | Buffer>(hmac, `AWS4${S3_SECRET_ACCESS_KEY}`)
  if (hmac(signingKey, toSign).toString('hex') !== signature) throw new Refusal(403, 'SignatureDoesNotMatch')
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://s3')
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const body = Buffer.concat(chunks)
  if (url.pathname === '/') {
    response.end(JSON.stringify([...objects.keys()]))
    return
  }
  assertSigned(request, url, body)
  const key = decodeURIComponent(url.pathname.slice(1))
  const object = objects.get(key)
  switch (request.method) {
    case 'PUT': {
      if (key.startsWith('slow/')) return
      if (key.startsWith('shaky/') && ++shakyUploads % 2 === 1) throw new Refusal(503, 'SlowDown')
      const checksum = request.headers['x-amz-checksum-sha256']
      if (checksum === undefined || checksum !== sha256(body).digest('base64'))
        throw new Refusal(400, 'BadDigest')
      objects.set(key, body)
      response.end()
      return
    }
    case 'DELETE':
      objects.delete(key)
      response.writeHead(204).end()
      return
    case 'HEAD':
      if (key.startsWith('silent/')) throw new Refusal(403, 'AccessDenied')
      if (object === undefined) throw new Refusal(404, 'NoSuchKey')
      response.writeHead(200, { 'content-length': object.length }).end()
      return
    case 'GET': {
      if (object === undefined) throw new Refusal(404, 'NoSuchKey')
      const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
      if (first === undefined) response.end(object)
      else {
        const part = object.subarray(Number(first), Number(last) + 1)
        response.writeHead(206, { 'content-range': `bytes ${first}-${last}/${object.length}` }).end(part)
      }
      return
    }
    default:
      throw new Refusal(405, 'MethodNotAllowed')
  }
}

createServer((request, response) => {
  answer(request, response).catch((error: unknown) => {
    const { status, code } = error instanceof Refusal ? error : new Refusal(500, 'InternalError')
    const xml = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${code}</Message></Error>`
    response.writeHead(status, { 'content-type': 'application/xml' }).end(xml)
  })
}).listen(Number(S3_PORT), '127.0.0.1')
