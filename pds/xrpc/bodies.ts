/**
 * The bodies of methods that take a stream: unpacked within bounds, and expected to arrive at a
 * minimum rate.
 *
 * The library unpacks any number of encodings on top of each other, so each may multiply the one
 * before. Here one is accepted, what it unpacks to is counted, and a body that unpacks to far more
 * than was sent ends. JSON and text are the library's: its parsers accept one encoding and count
 * unpacked bytes.
 */
import type { IncomingMessage } from 'node:http'
import { pipeline, type Readable, type Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import { InvalidRequestError, ResponseType, XRPCError } from '@atproto/xrpc-server'

/** Ratio of unpacked to sent bytes, once there are enough of them to judge. */
const UNPACKED_RATIO_MAX = 50
const UNPACKED_RATIO_FREE_BYTES = 10_000_000
/** What a sender may stay behind the rate before the body ends. */
const BODY_BYTES_PER_SECOND_MIN = 1024
const BODY_BEHIND_SECONDS_MAX = 30

const DECODERS = new Map<string, () => Transform>([
  ['gzip', createGunzip],
  ['x-gzip', createGunzip],
  ['deflate', createInflate],
  ['br', createBrotliDecompress],
])

/** Bounds of a body, beside its size. */
export interface BodyBounds {
  readonly bytesPerSecondMin?: number
  readonly behindMsMax?: number
}

/** The refusal of a body that is larger than what its method takes. */
export const tooLarge = (bytesMax: number): XRPCError =>
  new XRPCError(
    ResponseType.PayloadTooLarge,
    `The body is too large: this server takes ${bytesMax} bytes at most`,
  )

/**
 * Takes the content encoding from a request, so that the library hands over the body as it was
 * sent.
 * @throws XRPCError for more than one, or one that is not known
 */
export function takeEncoding(request: IncomingMessage): string | undefined {
  const names = (request.headers['content-encoding'] ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity')
  if (names.length > 1)
    throw new XRPCError(ResponseType.UnsupportedMediaType, 'at most one content encoding is accepted')
  const [name] = names
  if (name !== undefined && !DECODERS.has(name))
    throw new XRPCError(ResponseType.UnsupportedMediaType, 'unsupported content-encoding')
  delete request.headers['content-encoding']
  return name
}

/**
 * A body as it is unpacked.
 * @param encoding as {@link takeEncoding} found it
 * @param bytesMax of unpacked bytes
 * @throws XRPCError when it is too large, too slow, cut off or not what its encoding says
 */
export async function* unpacked(
  body: Readable,
  encoding: string | undefined,
  bytesMax: number,
  bounds: BodyBounds = {},
): AsyncGenerator<Uint8Array> {
  const sent = new Arrival(body, bounds)
  const decoder = encoding === undefined ? undefined : DECODERS.get(encoding)?.()
  // Its errors come out where it is read.
  if (decoder !== undefined) pipeline(sent.chunks(), decoder, () => undefined)
  let bytes = 0
  try {
    for await (const chunk of decoder ?? sent.chunks()) {
      bytes += (chunk as Uint8Array).length
      if (bytes > bytesMax) throw tooLarge(bytesMax)
      if (bytes > UNPACKED_RATIO_FREE_BYTES && bytes > sent.bytes * UNPACKED_RATIO_MAX) {
        const message = `the body unpacks to more than ${UNPACKED_RATIO_MAX} times its size`
        throw new XRPCError(ResponseType.PayloadTooLarge, message)
      }
      yield chunk
    }
  } catch (error) {
    throw isDecoding(error) ? new InvalidRequestError(`not a body in ${encoding}`) : error
  } finally {
    decoder?.destroy()
  }
}

/** The bytes of a body as they come in. Only the time in which they are waited for counts. */
class Arrival {
  bytes = 0
  readonly #body: Readable
  readonly #bytesPerMs: number
  readonly #behindMsMax: number
  #waitedMs = 0

  constructor(
    body: Readable,
    {
      bytesPerSecondMin = BODY_BYTES_PER_SECOND_MIN,
      behindMsMax = BODY_BEHIND_SECONDS_MAX * 1000,
    }: BodyBounds,
  ) {
    this.#body = body
    this.#bytesPerMs = bytesPerSecondMin / 1000
    this.#behindMsMax = behindMsMax
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    const chunks = this.#body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>
    try {
      for (;;) {
        const next = await this.#next(chunks)
        if (next.done) return
        this.bytes += next.value.length
        yield next.value
      }
    } catch (error) {
      throw isCutOff(error) ? new InvalidRequestError('the request body was cut off') : error
    } finally {
      await chunks.return?.()
    }
  }

  async #next(chunks: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array>> {
    const patienceMs = this.#behindMsMax + this.bytes / this.#bytesPerMs - this.#waitedMs
    const timer = setTimeout(
      () =>
        this.#body.destroy(
          new XRPCError(REQUEST_TIMEOUT, 'the request body arrives too slowly', 'RequestTimeout'),
        ),
      Math.max(patienceMs, 0),
    )
    const since = performance.now()
    try {
      return await chunks.next()
    } finally {
      clearTimeout(timer)
      this.#waitedMs += performance.now() - since
    }
  }
}

const REQUEST_TIMEOUT = 408 as ResponseType
const CUT_OFF = new Set(['ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_DESTROYED', 'ABORT_ERR'])

const codeOf = (error: unknown): string => String((error as NodeJS.ErrnoException | undefined)?.code ?? '')

function isCutOff(error: unknown): boolean {
  return CUT_OFF.has(codeOf(error))
}

function isDecoding(error: unknown): boolean {
  const code = codeOf(error)
  return code.startsWith('Z_') || code.startsWith('ERR_BROTLI') || code.startsWith('ERR__ERROR')
}
