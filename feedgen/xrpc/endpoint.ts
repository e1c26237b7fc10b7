/** The feed generator's endpoints: their types, who may call them, and how often. */
import type { HandlerContext, MethodConfig } from '@atproto/xrpc-server'
import { callerOf } from '#platform/callers.ts'
import { type Exchange, methodOf, type Endpoint as OfAnyService, type RateLimit } from '#platform/endpoint.ts'
import { markAccount } from '#platform/request-log.ts'
import type { Asker } from '../feeds/inquiries.ts'
import type { Services } from '../services.ts'

export { type Call, checkedJson } from '#platform/endpoint.ts'

/** Rate limits here are constants: nothing is configured. */
export type Limits = Record<string, never>

/** One XRPC method. `P`: its parameters; `I`: its input; `C`: the credentials it asks for. */
export type Endpoint<P, I, C> = OfAnyService<Services, P, I, C, undefined, Limits>

/** Declares an endpoint; only for its types. */
export function endpoint<P, I = undefined, C = undefined>(definition: Endpoint<P, I, C>): Endpoint<P, I, C> {
  return definition
}

/** An endpoint of any types, as index.ts lists it. */
// biome-ignore lint/suspicious/noExplicitAny: parameters, input and credentials differ by method
export type AnyEndpoint = Endpoint<any, any, any>

/** The library's form of an endpoint. */
export const methodWith = (nsid: string, endpoint: AnyEndpoint, services: Services): MethodConfig =>
  methodOf(nsid, endpoint, { services, limits: {}, identifies: 'before-handling' })

/** The DID of the account in whose name a request comes, by its service token; null without one. */
export async function viewer(
  { request, nsid }: Exchange,
  { viewers }: Pick<Services, 'viewers'>,
): Promise<string | null> {
  const did = await viewers.identify(request.headers.authorization, nsid)
  markAccount(request, did ?? undefined)
  return did
}

/** Who asks about an algorithm, a viewer or anyone, while their share of time is not used up. */
export async function asker(
  exchange: Exchange,
  services: Pick<Services, 'viewers' | 'askers'>,
): Promise<Asker> {
  const did = await viewer(exchange, services)
  return services.askers.of(exchange.request, exchange.response, did ?? undefined)
}

/** The limit that all methods share which evaluate a definition. */
export const ASKING = 'asking'

/** The network that calls. */
export const network = ({ req }: HandlerContext): string => callerOf(req).network

/** Points of the shared limit on evaluations that a call costs. */
export const evaluations =
  (points: number): RateLimit<Limits> =>
  () => ({ name: ASKING, calcKey: network, calcPoints: () => points })
