/**
 * HTTP to other services, within limits: no private addresses, endless responses or redirects. The
 * target service is chosen elsewhere.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { brotliDecompress, gunzip, inflate, zstdDecompress } from 'node:zlib'
import { isUnicastIpHostname, unicastLookup } from '@atproto-labs/fetch-node'
import { Agent, type Dispatcher, interceptors, Pool } from 'undici'
import { UpstreamError, UpstreamUnreachableError } from './errors.ts'

export interface UpstreamLimits {
  /** Let http and private addresses through: for a network on one machine. */
  readonly allowPrivate: boolean
  readonly allowHttp2: boolean
  /** Until an answer begins. */
  readonly headersMsMax: number
  /** Between two pieces of an answer. */
  readonly bodyMsMax: number
  readonly responseBytesMax: number
  /** Further attempts of a GET or HEAD that found no connection. */
  readonly retriesMax: number
}

export interface UpstreamRequest {
  /** The service's URL: scheme, host and port. */
  readonly origin: string
  readonly method: 'GET' | 'HEAD' | 'POST'
  /** Path and query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body?: Readable | string
  readonly signal?: AbortSignal
}

export interface UpstreamAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** To be read or destroyed. */
  readonly body: Readable
}

/** The response header with the revision of the caller's repository that a service has indexed. */
export const REPO_REV_HEADER = 'atproto-repo-rev'

export class Upstream implements AsyncDisposable {
  readonly #agent: Agent
  readonly #dispatcher: Dispatcher
  readonly #bytesMax: number

  constructor(limits: UpstreamLimits) {
    this.#bytesMax = limits.responseBytesMax
    this.#agent = new Agent({
      allowH2: limits.allowHttp2,
      headersTimeout: limits.headersMsMax,
      bodyTimeout: limits.bodyMsMax,
      maxResponseSize: limits.responseBytesMax,
      ...(!limits.allowPrivate && {
        factory: (origin, options) => new Pool(assertPublic(new URL(origin)), options),
        // The address that is connected to, and not the name alone, has to be public.
        connect: { lookup: unicastLookup },
      }),
    })
    this.#dispatcher =
      limits.retriesMax === 0
        ? this.#agent
        : this.#agent.compose(
            interceptors.retry({ statusCodes: [], methods: ['GET', 'HEAD'], maxRetries: limits.retriesMax }),
          )
  }

  /**
   * Sends a request; resolves when the answer begins.
   * @throws UpstreamError for an answer from 400 on; UpstreamUnreachableError
   */
  async request({ origin, ...request }: UpstreamRequest): Promise<UpstreamAnswer> {
    let answer: Dispatcher.ResponseData
    try {
      answer = await this.#dispatcher.request({ origin, ...request, headers: present(request.headers) })
    } catch (cause) {
      throw new UpstreamUnreachableError(undefined, { cause })
    }
    const { statusCode: status, headers, body } = answer
    if (status >= 400) {
      const said = await this.#readError(headers, body)
      throw new UpstreamError(status, { ...said, rev: header(headers, REPO_REV_HEADER) })
    }
    return { status, headers, body }
  }

  /**
   * The whole body of a response, decompressed.
   * @throws UpstreamUnreachableError when it is cut off, too large, or not in the encoding it
   * claims
   */
  async read({ headers, body }: Pick<UpstreamAnswer, 'headers' | 'body'>): Promise<Buffer> {
    try {
      const chunks: Buffer[] = []
      for await (const chunk of body) chunks.push(chunk as Buffer)
      return await decode(Buffer.concat(chunks), header(headers, 'content-encoding'), this.#bytesMax)
    } catch (cause) {
      throw new UpstreamUnreachableError('unable to read the response of the upstream service', { cause })
    }
  }

  /**
   * The JSON that a method of another service answers.
   * @throws UpstreamError, UpstreamUnreachableError
   */
  async json(request: UpstreamRequest): Promise<unknown> {
    const answer = await this.request({
      ...request,
      headers: { ...request.headers, accept: 'application/json', 'accept-encoding': 'gzip, br' },
    })
    const bytes = await this.read(answer)
    try {
      return JSON.parse(bytes.toString('utf8'))
    } catch (cause) {
      throw new UpstreamUnreachableError('the upstream service did not answer in JSON', { cause })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy()
  }

  /** What the body of an error says, as far as it can be understood. */
  async #readError(
    headers: IncomingHttpHeaders,
    body: Dispatcher.ResponseData['body'],
  ): Promise<{ code?: string; message?: string }> {
    if (!mayBeJson(header(headers, 'content-type'))) {
      // Read to its end, if that is near, so that the connection can be used again.
      await body.dump().catch(() => undefined)
      return {}
    }
    try {
      const said: unknown = JSON.parse((await this.read({ headers, body })).toString('utf8'))
      return { code: textOf(said, 'error'), message: textOf(said, 'message') }
    } catch {
      return {}
    }
  }
}

/** Whether a content type is one of JSON, or not said. */
export function mayBeJson(contentType: string | undefined): boolean {
  return contentType === undefined || /application\/(?:\w+\+)?json/i.test(contentType)
}

/** A header that is there once at most; of several values the list of them. */
export function header(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value.join(',') : value
}

function assertPublic(origin: URL): URL {
  if (origin.protocol !== 'https:') throw new Error(`forbidden protocol ${origin.protocol}`)
  // A name is looked up when it is connected to; an address never is.
  if (isUnicastIpHostname(origin.hostname) === false) throw new Error('the host is not a public address')
  return origin
}

function present(headers: UpstreamRequest['headers']): Record<string, string | string[]> {
  const found: Record<string, string | string[]> = {}
  for (const name in headers) {
    const value = headers[name]
    if (value !== undefined) found[name] = value
  }
  return found
}

type Decoder = (bytes: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>

const decoders = new Map<string, Decoder>([
  ['gzip', promisify(gunzip)],
  ['x-gzip', promisify(gunzip)],
  ['deflate', promisify(inflate)],
  ['br', promisify(brotliDecompress)],
  ['zstd', promisify(zstdDecompress)],
])

/** Undoes the content encodings, the last one first. */
async function decode(bytes: Buffer, encoding: string | undefined, bytesMax: number): Promise<Buffer> {
  const names = (encoding ?? '').split(',').map((name) => name.trim().toLowerCase())
  let decoded = bytes
  for (const name of names.reverse()) {
    if (name === '' || name === 'identity') continue
    const decoder = decoders.get(name)
    if (decoder === undefined) throw new Error(`unknown content encoding ${name}`)
    decoded = await decoder(decoded, { maxOutputLength: bytesMax })
  }
  return decoded
}

function textOf(value: unknown, key: string): string | undefined {
  const text = (value as Record<string, unknown> | null)?.[key]
  return typeof text === 'string' ? text : undefined
}
