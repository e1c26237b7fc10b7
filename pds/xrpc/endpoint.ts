/** The form of an endpoint file, and the answers it can give. Routing, body limits and lexicon checks are the library's. */
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Procedure, Query } from '@atproto/lex-schema'
import {
  type HandlerContext,
  type HandlerPipeThrough,
  type MethodConfig,
  ResponseType,
  type Server,
  XRPCError,
} from '@atproto/xrpc-server'
import type { Response } from 'express'
import { callerOf } from '#platform/callers.ts'
import { markAccount } from '#platform/request-log.ts'
import { forbidCaching } from '../auth/caching.ts'
import type { Exchange } from '../auth/verifier.ts'
import type { Places } from '../limits/places.ts'
import { takeEncoding, tooLarge, unpacked } from './bodies.ts'

/** What a handler is given: the checked parameters and input, and the credentials that its `auth` found. */
export interface Call<P, I, C> {
  readonly params: P
  readonly input: I
  readonly credentials: C
  readonly request: IncomingMessage
  readonly response: Response
  /** The content type of the input. */
  readonly encoding: string
}

/** One XRPC method. `P`: its parameters; `I`: its input; `C`: the credentials it asks for. */
export interface Endpoint<P, I, C> {
  readonly auth?: (exchange: Exchange) => Promise<C> | C
  /** For methods that take larger JSON than others. */
  readonly jsonBytesMax?: number
  /** For methods that take a stream: how much of it, as unpacked. The handler is given its bytes. */
  readonly streamBytesMax?: number
  readonly handler: (call: Call<P, I, C>) => Promise<Answer> | Answer
}

/** Bytes of an answer with their content type; nothing for a method without output. */
// biome-ignore lint/suspicious/noConfusingVoidType: a handler without output returns nothing
export type Answer = (HandlerPipeThrough & { readonly status?: number }) | void

/** Declares an endpoint; only for its types. */
export function endpoint<P, I = undefined, C = undefined>(definition: Endpoint<P, I, C>): Endpoint<P, I, C> {
  return definition
}

const JSON_TYPE = 'application/json; charset=utf-8'
export const CAR_TYPE = 'application/vnd.ipld.car'
/** Made of a streamed answer while the client takes what came before. */
const READ_AHEAD_BYTES = 1024 * 1024

/** A JSON answer: a value made of plain JSON. */
export function json(body: object): HandlerPipeThrough {
  return jsonText(JSON.stringify(body))
}

/** A JSON answer that is text already. */
export function jsonText(text: string): HandlerPipeThrough {
  return { encoding: JSON_TYPE, buffer: Buffer.from(text) }
}

/** A CAR file as an answer: whole, or in chunks that are asked for as the client takes them. */
export function car(bytes: Buffer | AsyncIterable<Buffer>): HandlerPipeThrough {
  return Buffer.isBuffer(bytes)
    ? { encoding: CAR_TYPE, buffer: bytes }
    : {
        encoding: CAR_TYPE,
        stream: Readable.from(bytes, { objectMode: false, highWaterMark: READ_AHEAD_BYTES }),
      }
}

/** An endpoint of any types, as the list in index.ts holds it. */
// biome-ignore lint/suspicious/noExplicitAny: the types of parameters and input differ from method to method
export type AnyEndpoint = Endpoint<any, any, any>

/** What stands around every endpoint. */
export interface Surroundings {
  /** Resolves when everything that can be read now is durable. */
  readonly durable: () => Promise<void> | undefined
  /** How often methods may be asked for, by NSID. */
  readonly limits: Readonly<Record<string, MethodConfig['rateLimit']>>
  /** Methods of which only so many run at once, by NSID. */
  readonly places: ReadonlyMap<string, Places>
}

/** Seconds after which a caller may find a place that was taken. */
const PLACE_RETRY_SECONDS = 10

/** For the library: streams are counted here, where the refusal names the limit. */
const UNCOUNTED = Number.MAX_SAFE_INTEGER

/** Hands an endpoint to the library's server. */
export function register(
  server: Server,
  schema: Query | Procedure,
  { auth, jsonBytesMax, streamBytesMax, handler }: AnyEndpoint,
  { durable, limits, places }: Surroundings,
): void {
  const shared = places.get(schema.nsid)
  const encodings = new WeakMap<IncomingMessage, string>()
  const config: MethodConfig = {
    opts: { jsonLimit: jsonBytesMax, blobLimit: streamBytesMax === undefined ? undefined : UNCOUNTED },
    rateLimit: limits[schema.nsid],
    auth:
      auth &&
      (async ({ req, res }) => {
        forbidCaching(res)
        const credentials = await auth({ request: req, response: res })
        markAccount(req, (credentials as { did?: string } | undefined)?.did)
        // Before the library looks at the body, which comes next.
        const encoding = streamBytesMax === undefined ? undefined : takeEncoding(req)
        if (encoding !== undefined) encodings.set(req, encoding)
        return { credentials }
      }),
    handler: async ({ params, input, auth, req, res }: HandlerContext) => {
      if (streamBytesMax !== undefined && Number(req.headers['content-length'] ?? 0) > streamBytesMax)
        throw tooLarge(streamBytesMax)
      if (shared !== undefined) takePlace(shared, req, res)
      let answer: Answer
      const sent = (input as { body?: unknown } | undefined)?.body
      try {
        answer = await handler({
          params,
          input:
            streamBytesMax === undefined
              ? sent
              : unpacked(sent as Readable, encodings.get(req), streamBytesMax),
          encoding: (input as { encoding?: string } | undefined)?.encoding ?? '',
          credentials: (auth as { credentials?: unknown } | undefined)?.credentials,
          request: req,
          response: res,
        })
      } catch (error) {
        // What comes too slowly is not read to its end.
        if (error instanceof XRPCError && error.statusCode === 408) res.setHeader('connection', 'close')
        throw error
      } finally {
        // What was read may not be on the disk yet: nobody hears of it before it is.
        await durable()
      }
      if (answer === undefined) return undefined
      const { status, headers, ...body } = answer
      if (status === undefined && body.encoding === JSON_TYPE && 'buffer' in body) {
        // The library's way with bytes gives no ETag, by which a client asks whether they changed.
        res.set(headers).setHeader('content-type', JSON_TYPE)
        res.send(body.buffer)
        return undefined
      }
      if ('buffer' in body) res.setHeader('Content-Length', body.buffer.length)
      if (status === undefined) return answer
      // The library answers with 200 whatever it is given.
      res.status(status).set(headers).setHeader('content-type', body.encoding)
      if ('stream' in body) await pipeline(body.stream, res)
      else res.end(body.buffer)
      return undefined
    },
  }
  // The library derives the types of parameters and input from a schema known when compiling; here the endpoint says them.
  server.add(schema, config as never)
}

/** Takes a place for as long as the response takes. @throws XRPCError when there is none */
function takePlace(places: Places, request: IncomingMessage, response: Response): void {
  const leave = places.take(callerOf(request))
  if (leave === undefined) {
    response.setHeader('Retry-After', PLACE_RETRY_SECONDS)
    throw new XRPCError(ResponseType.RateLimitExceeded, 'Too many of these at once. Try again later.')
  }
  if (response.closed) leave()
  else response.once('close', leave)
}
