/**
 * The fetch for URLs that strangers choose: DID documents, handles, services named in them.
 *
 * It connects to public addresses over https only, checking the resolved address and not just the
 * name; follows redirects only on request; and ends a response that takes too long or is too large.
 */
import type { LookupFunction } from 'node:net'
import { isUnicastIpHostname, safeFetchWrap, unicastLookup } from '@atproto-labs/fetch-node'

/** A fetch as the platform's, for the packages that take one. */
export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>

/** What a guarded fetch allows. */
export interface FetchLimits {
  /** Let http, ports and private addresses through: for a network on one machine. */
  allowPrivate: boolean
  /** What the operator configured: such services may be on private addresses and speak http. */
  trusted?: readonly string[]
  /** The whole request, the body of the answer included. */
  timeoutMs?: number
  /** Of the answer's body. */
  responseBytesMax?: number
}

const timeoutMsDefault = 10_000
const responseBytesMaxDefault = 512 * 1024

/**
 * A fetch that keeps to the limits. It rejects as the platform's own does, and an answer that grows
 * too large fails while its body is read.
 */
export function guardedFetch({
  allowPrivate,
  trusted = [],
  timeoutMs = timeoutMsDefault,
  responseBytesMax = responseBytesMaxDefault,
}: FetchLimits): Fetch {
  const wrap = (allowPrivate: boolean): Fetch =>
    safeFetchWrap({
      ssrfProtection: !allowPrivate,
      timeout: timeoutMs,
      responseMaxSize: responseBytesMax,
      // Names such as example.com are refused by the library's default; on a machine of one's own
      // they may be in /etc/hosts.
      forbiddenDomainNames: allowPrivate ? [] : undefined,
    })
  const isTrusted = trustOfOrigins(trusted)
  const [guarded, open] = [wrap(allowPrivate), wrap(true)]
  return (input, init) => {
    const fetch = isTrusted(input instanceof Request ? input.url : input) ? open : guarded
    // A redirect would lead from what is trusted to what is not.
    return fetch(input, { redirect: 'error', ...init, ...(fetch === open && { redirect: 'error' }) })
  }
}

/**
 * Whether a URL is below one of those that the operator named: the same scheme, host and port. A
 * WebSocket's counts as the HTTP one.
 */
function trustOfOrigins(urls: readonly string[]): (url: string | URL) => boolean {
  const origins = new Set(urls.flatMap((url) => originOf(url) ?? []))
  return (url) => origins.has(originOf(url) ?? '')
}

const originOf = (url: string | URL): string | undefined =>
  URL.parse(String(url).replace(/^ws(s?):/, 'http$1:'))?.origin

/**
 * For connections that no fetch makes: a DNS lookup that returns public addresses only.
 * @throws TypeError when the URL's host is itself a private address, which is never looked up
 */
export function publicLookup(url: string): LookupFunction {
  if (isUnicastIpHostname(new URL(url).hostname) === false) throw new TypeError('not a public address')
  return unicastLookup as LookupFunction
}
