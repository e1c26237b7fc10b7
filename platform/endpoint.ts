/**
 * One form for the XRPC methods of every service: an endpoint says who may call it, what an OAuth
 * client needs, how often it may be called, and what it does. Routing, parsing and lexicon checks
 * are `@atproto/xrpc-server`'s.
 */
import type { IncomingMessage } from 'node:http'
import { pipeline } from 'node:stream/promises'
import type {
  HandlerContext,
  HandlerPipeThrough,
  HandlerSuccess,
  MethodConfig,
  RateLimitOpts,
} from '@atproto/xrpc-server'
import type { Response } from 'express'

/** A request while its caller is identified; headers set on the response say how to sign in. */
export interface Exchange<P = unknown> {
  readonly nsid: string
  readonly params: P
  readonly request: IncomingMessage
  readonly response: Response
}

/** What a handler gets: the parsed parameters and input, and the credentials that `auth` found. */
export interface Call<P, I, C> extends Exchange<P> {
  readonly input: I
  readonly credentials: C
  /** The content type of the input. */
  readonly encoding: string
}

/** A response body with its content type; nothing for a method without output. */
// biome-ignore lint/suspicious/noConfusingVoidType: a handler without output returns nothing
export type Answer = (HandlerPipeThrough & { readonly status?: number }) | HandlerSuccess | void

/** A limit on calls, made from the numbers that the operator configured. */
export type RateLimit<N> = (numbers: N) => RateLimitOpts<HandlerContext>

/**
 * One XRPC method. `S`: the services it uses; `P`: its parameters; `I`: its input; `C`: the
 * credentials it asks for; `R`: the form of permissions; `N`: the configured numbers of rate
 * limits.
 */
export interface Endpoint<S, P, I, C, R, N> {
  /** Who may call it; left out, anyone. */
  readonly auth?: (exchange: Exchange<P>, services: S, permission: R) => Promise<C> | C
  /** What an OAuth client must have been granted. */
  readonly permission?: R
  /** How often it may be called, beside the limits on all requests. */
  readonly rateLimit?: readonly RateLimit<N>[]
  /** Whether other services may never call it in a user's name: no service token, no proxying. */
  readonly protected?: true
  /** Which of the service's pools of slots bounds how many calls run at once. */
  readonly atOnce?: string
  /** For methods that take larger JSON than others. */
  readonly jsonBytesMax?: number
  /** For methods that take a stream: its unpacked size. The handler gets its bytes. */
  readonly streamBytesMax?: (services: S) => number
  readonly handle: (call: Call<P, I, C>, services: S) => Promise<Answer> | Answer
}

/** An endpoint of any types, as a service's index holds it. */
// biome-ignore lint/suspicious/noExplicitAny: parameters, input and credentials differ by method
export type AnyEndpoint<S, R, N> = Endpoint<S, any, any, any, R, N>

/** What a service puts around all of its endpoints. */
export interface Host<S, N> {
  readonly services: S
  /** The numbers of the endpoints' rate limits; undefined when requests are not limited. */
  readonly limits: N | undefined
  /**
   * When callers are identified: before the input is read, or after the input and the rate limits
   * were checked, where looking up an issuer's key costs more than the input.
   */
  readonly identifies: 'before-input' | 'before-handling'
}

const JSON_TYPE = 'application/json; charset=utf-8'

/** A JSON response: a value made of plain JSON. */
export function json(body: object): HandlerPipeThrough {
  return jsonText(JSON.stringify(body))
}

/** A JSON response that is text already. */
export function jsonText(text: string): HandlerPipeThrough {
  return { encoding: JSON_TYPE, buffer: Buffer.from(text) }
}

/** A JSON response that the library checks against the lexicon before it is sent. */
export function checkedJson(body: object, headers?: Record<string, string>): HandlerSuccess {
  return { encoding: 'application/json', body, headers }
}

/** An endpoint in the form that the library's server takes. */
export function methodOf<S, R, N>(
  nsid: string,
  endpoint: AnyEndpoint<S, R, N>,
  { services, limits, identifies }: Host<S, N>,
): MethodConfig {
  const { auth, permission, rateLimit, jsonBytesMax, streamBytesMax, handle } = endpoint
  const identify = auth && ((exchange: Exchange) => auth(exchange, services, permission as R))
  const isFirst = identifies === 'before-input'
  return {
    // What is streamed is counted by the service, whose refusal names the limit.
    opts: { jsonLimit: jsonBytesMax, blobLimit: streamBytesMax && Number.MAX_SAFE_INTEGER },
    rateLimit: limits && rateLimit?.map((limit) => limit(limits)),
    auth:
      identify && isFirst
        ? async ({ params, req: request, res: response }) => ({
            credentials: await identify({ nsid, params, request, response }),
          })
        : undefined,
    handler: async ({ params, input, auth, req: request, res: response }: HandlerContext) => {
      const exchange = { nsid, params, request, response }
      const credentials =
        identify && !isFirst
          ? await identify(exchange)
          : (auth as { credentials?: unknown } | undefined)?.credentials
      const { body, encoding = '' } = (input ?? {}) as { body?: unknown; encoding?: string }
      return send(await handle({ ...exchange, input: body, encoding, credentials }, services), response)
    },
  }
}

/** Sends what the library's way of sending lacks: ETags for bytes, and statuses other than 200. */
async function send(
  answer: Answer,
  response: Response,
): Promise<HandlerPipeThrough | HandlerSuccess | undefined> {
  if (answer === undefined) return undefined
  if (!('buffer' in answer || 'stream' in answer)) return answer
  const { status, headers, ...body } = answer
  if (status === undefined && body.encoding === JSON_TYPE && 'buffer' in body) {
    response.set(headers).setHeader('content-type', JSON_TYPE)
    response.send(body.buffer)
    return undefined
  }
  if ('buffer' in body) response.setHeader('Content-Length', body.buffer.length)
  if (status === undefined) return answer
  response.status(status).set(headers).setHeader('content-type', body.encoding)
  if ('stream' in body) await pipeline(body.stream, response)
  else response.end(body.buffer)
  return undefined
}
