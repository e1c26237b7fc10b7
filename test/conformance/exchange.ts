/** One request and its answer, as they are on the wire. */
import { Readable } from 'node:stream'
import { gunzipSync } from 'node:zlib'
import { Agent, request } from 'undici'

/** What is asked of a server. */
export interface Ask {
  readonly verb?: string
  /** An NSID, or a path that begins with a slash. */
  readonly path: string
  /** A list gives a parameter many times. */
  readonly query?: Record<string, unknown>
  readonly headers?: Record<string, string | undefined>
  /** Bytes as they are; anything else is sent as JSON. */
  readonly body?: unknown
  /** Whether the body is sent without saying its length. */
  readonly chunked?: boolean
}

/** An answer in full. */
export interface RawAnswer {
  readonly status: number
  readonly headers: Record<string, string | string[] | undefined>
  /** As it was before it was compressed. */
  readonly body: Buffer
}

/** An answer that takes longer is none. */
const ANSWER_MS_MAX = 5_000
const client = new Agent({
  connections: 8,
  pipelining: 1,
  headersTimeout: ANSWER_MS_MAX,
  bodyTimeout: ANSWER_MS_MAX,
})

/** Sends one request. */
export async function exchange(
  url: string,
  { verb = 'GET', path, query = {}, headers = {}, body, chunked }: Ask,
): Promise<RawAnswer> {
  const isJson = body !== undefined && !Buffer.isBuffer(body)
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((item) => [name, String(item)]),
  )
  const search = new URLSearchParams(pairs).toString()
  const target = `${url}${path.startsWith('/') ? path : `/xrpc/${path}`}${search === '' ? '' : `?${search}`}`
  const sent = { ...(isJson && { 'content-type': 'application/json' }), ...headers }
  const bytes = isJson ? Buffer.from(JSON.stringify(body)) : (body as Buffer | undefined)
  const response = await request(target, {
    dispatcher: client,
    method: verb as 'GET',
    headers: Object.fromEntries(Object.entries(sent).filter(([, value]) => value !== undefined)),
    body: chunked && bytes ? Readable.from([bytes]) : bytes,
  })
  const content = Buffer.from(await response.body.arrayBuffer())
  const isZipped = response.headers['content-encoding'] === 'gzip' && content.length > 0
  return {
    status: response.statusCode,
    headers: response.headers,
    body: isZipped ? gunzipSync(content) : content,
  }
}
