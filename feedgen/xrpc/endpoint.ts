/** The feed generator's endpoints: their types, who may call them, and how often. */
import type { HandlerContext, MethodConfig } from '@atproto/xrpc-server'
import { callerOf } from '#platform/callers.ts'
import { type Exchange, methodOf, type Endpoint as OfAnyService, type RateLimit } from '#platform/endpoint.ts'
import { markAccount } from '#platform/request-log.ts'
import type { Asker } from '../feeds/inquiries.ts'
import type { Services } from '../services.ts'

export { type Call, checkedJson } from '#platform/endpoint.ts'

/** Rate limits here are constants, not configuration. */
export type Limits = Record<string, never>

/** One XRPC method. `P`: its parameters; `I`: its input; `C`: the credentials it requires. */
export type Endpoint<P, I, C> = OfAnyService<Services, P, I, C, undefined, Limits>

/** Declares an endpoint, for type inference only. */
export function endpoint<P, I = undefined, C = undefined>(definition: Endpoint<P, I, C>): Endpoint<P, I, C> {
  return definition
}

/** An endpoint of any types, as listed in index.ts. */
// biome-ignore lint/suspicious/noExplicitAny: parameters, input and credentials differ by method
export type AnyEndpoint = Endpoint<any, any, any>

/** Converts an endpoint to the library's form. */
export const methodWith = (nsid: string, endpoint: AnyEndpoint, services: Services): MethodConfig =>
  methodOf(nsid, endpoint, { services, limits: {}, identifies: 'before-handling' })

/** The DID of the requesting account, from its service token; null without one. */
export async function viewer(
  { request, nsid }: Exchange,
  { viewers }: Pick<Services, 'viewers'>,
): Promise<string | null> {
  const did = await viewers.identify(request.headers.authorization, nsid)
  markAccount(request, did ?? undefined)
  return did
}

/** The caller of a method about algorithms, with or without a viewer, while it has time left. */
export async function asker(
  exchange: Exchange,
  services: Pick<Services, 'viewers' | 'askers'>,
): Promise<Asker> {
  const did = await viewer(exchange, services)
  return services.askers.of(exchange.request, exchange.response, did ?? undefined)
}

/** The limit shared by all methods that evaluate a definition. */
export const ASKING = 'asking'

/** The caller's network. */
export const network = ({ req }: HandlerContext): string => callerOf(req).network

/** The points that a call takes from the shared limit on evaluations. */
export const evaluations =
  (points: number): RateLimit<Limits> =>
  () => ({ name: ASKING, calcKey: network, calcPoints: () => points })
