/** The PDS's endpoints: their types, and what stands around every one of them here. */
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { type HandlerPipeThrough, ResponseType, type Server, XRPCError } from '@atproto/xrpc-server'
import type { Response } from 'express'
import { callerOf } from '#platform/callers.ts'
import { type Endpoint as AnyServices, type Exchange, methodOf } from '#platform/endpoint.ts'
import { methodSchema } from '#platform/lexicons.ts'
import { markAccount } from '#platform/request-log.ts'
import { forbidCaching } from '../auth/caching.ts'
import type { Permissions } from '../auth/permissions.ts'
import type { Places } from '../limits/places.ts'
import type { Services } from '../services.ts'
import { takeEncoding, tooLarge, unpacked } from './bodies.ts'

export { type Call, json, jsonText } from '#platform/endpoint.ts'

/** Throws when an OAuth client was granted too little for a request. */
export type Permission = (
  permissions: Permissions,
  request: IncomingMessage,
  services: Pick<Services, 'proxy'>,
) => void

/** The configured numbers of rate limits. */
export type LimitPoints = NonNullable<Services['config']['rateLimits']>['points']

/** The pools of slots that long calls share. */
export type AtOnce = 'exports' | 'downloads' | 'uploads' | 'imports'

type Common<S, P, I, C> = Omit<
  AnyServices<S, P, I, C, Permission, LimitPoints>,
  'auth' | 'permission' | 'atOnce'
> & { readonly atOnce?: AtOnce }

/** Who may call an endpoint, where no OAuth client may. */
type ClosedAuth<C> = (exchange: Exchange, services: Pick<Services, 'auth'>) => Promise<C> | C

/** Who may call an endpoint, users through OAuth clients among them. */
export type UserAuth<C> = (
  exchange: Exchange,
  services: Pick<Services, 'auth' | 'proxy'>,
  permission: Permission,
) => Promise<C> | C

/**
 * One XRPC method of the PDS. `P`: its parameters; `I`: its input; `C`: the credentials it asks
 * for; `S`: the services. An endpoint that users may call must name a permission.
 */
export type Endpoint<P, I, C, S = Services> = Common<S, P, I, C> &
  (
    | { readonly auth?: ClosedAuth<C>; readonly permission?: undefined }
    | { readonly auth: UserAuth<C>; readonly permission: Permission }
  )

/** Declares an endpoint; only for its types. */
export function endpoint<P, I = undefined, C = undefined, S = Services>(
  definition: Endpoint<P, I, C, S>,
): Endpoint<P, I, C, S> {
  return definition
}

/** An endpoint of any types, as index.ts lists it. */
// biome-ignore lint/suspicious/noExplicitAny: parameters, input and credentials differ by method
export type AnyEndpoint<S = Services> = Endpoint<any, any, any, S>

export const CAR_TYPE = 'application/vnd.ipld.car'
/** Bytes of a streamed response that are made ahead of what the client has read. */
const READ_AHEAD_BYTES = 1024 * 1024

/** A CAR file as a response: whole, or in chunks that are made as the client reads. */
export function car(bytes: Buffer | AsyncIterable<Buffer>): HandlerPipeThrough {
  return Buffer.isBuffer(bytes)
    ? { encoding: CAR_TYPE, buffer: bytes }
    : {
        encoding: CAR_TYPE,
        stream: Readable.from(bytes, { objectMode: false, highWaterMark: READ_AHEAD_BYTES }),
      }
}

/** What stands around every endpoint. */
export interface Surroundings<S> {
  readonly services: S
  readonly limits: LimitPoints | undefined
  /** Resolves when everything that can be read now is durable. */
  readonly durable: () => Promise<void> | undefined
  readonly slots: Readonly<Record<AtOnce, Places>>
}

/** Seconds after which a caller may find a free slot. */
const PLACE_RETRY_SECONDS = 10

/** Registers an endpoint with the library's server. */
export function register<S extends Services>(
  server: Server,
  nsid: string,
  definition: AnyEndpoint<S>,
  surroundings: Surroundings<S>,
): void {
  const guarded = guard(definition, surroundings)
  const config = methodOf(nsid, guarded, { ...surroundings, identifies: 'before-input' })
  // The library derives types from a schema known when compiling; here the endpoint states them.
  server.add(methodSchema(nsid), config as never)
}

/** An endpoint with the PDS's own rules around it: caching, bodies, slots, durability. */
function guard<S extends Services>(
  { auth, streamBytesMax, handle, ...rest }: AnyEndpoint<S>,
  { services, durable, slots }: Surroundings<S>,
  // biome-ignore lint/suspicious/noExplicitAny: as AnyEndpoint
): AnyServices<S, any, any, any, Permission, LimitPoints> {
  const bytesMax = streamBytesMax?.(services)
  const pool = rest.atOnce && slots[rest.atOnce]
  const encodings = new WeakMap<IncomingMessage, string>()
  return {
    ...rest,
    streamBytesMax,
    auth:
      auth &&
      (async (exchange, services, permission) => {
        const { request, response } = exchange
        forbidCaching(response)
        const credentials = await auth(exchange, services, permission)
        markAccount(request, (credentials as { did?: string } | null)?.did)
        // Before the library looks at the body, which comes next.
        const encoding = bytesMax === undefined ? undefined : takeEncoding(request)
        if (encoding !== undefined) encodings.set(request, encoding)
        return credentials
      }),
    handle: async (call, services) => {
      const { request, response } = call
      if (bytesMax !== undefined && Number(request.headers['content-length'] ?? 0) > bytesMax)
        throw tooLarge(bytesMax)
      if (pool !== undefined) takePlace(pool, request, response)
      try {
        const input =
          bytesMax === undefined ? call.input : unpacked(call.input, encodings.get(request), bytesMax)
        return await handle({ ...call, input }, services)
      } catch (error) {
        // A body that arrives too slowly is not read to its end.
        if (error instanceof XRPCError && error.statusCode === 408) response.setHeader('connection', 'close')
        throw error
      } finally {
        // What was read may not be on disk yet: no one hears of it before it is.
        await durable()
      }
    },
  }
}

/** Takes a slot until the response is closed. @throws XRPCError when none is free */
function takePlace(places: Places, request: IncomingMessage, response: Response): void {
  const leave = places.take(callerOf(request))
  if (leave === undefined) {
    response.setHeader('Retry-After', PLACE_RETRY_SECONDS)
    throw new XRPCError(ResponseType.RateLimitExceeded, 'Too many of these at once. Try again later.')
  }
  if (response.closed) leave()
  else response.once('close', leave)
}
