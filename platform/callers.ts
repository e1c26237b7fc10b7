/**
 * Who requests come from, as far as limits care: an address, and its network. Found once for each
 * request, before anything looks at it.
 */
import type { IncomingMessage } from 'node:http'
import { isIP, type Socket } from 'node:net'
import express from 'express'
import { networkOf, unmapped } from './network-of.ts'

export interface Caller {
  /**
   * As the trusted proxies in front say it; mapped IPv4 as IPv4. Whatever a proxy wrote, if it
   * wrote no address.
   */
  readonly address: string
  /** What limits count the caller by. */
  readonly network: string
  /**
   * Comes from an address that proxies are at, without a word on who is behind it: on a machine of
   * one's own the caller itself, behind a proxy that does not say so everybody. Its network is not
   * limited, for then everybody would be.
   */
  readonly isMasked: boolean
}

/** Whether a peer's headers are trusted; Express's, as made from `trust proxy`. */
export type Trust = (address: string, hop: number) => boolean

/** What Express makes of `trust proxy`: for limits to see callers as the applications do. */
export const trustOf = (proxies: readonly string[]): Trust =>
  express()
    .set('trust proxy', [...proxies])
    .get('trust proxy fn') as Trust

const PORT_MAX = 65_535
const CALLER = Symbol('caller')
/** A peer's own address, looked at once for a connection. */
const PEER = Symbol('peer')

interface Peer {
  readonly caller: Caller
  readonly isTrusted: boolean
}
type Marked<T, K extends symbol, V> = T & { [key in K]?: V }

/** Finds the caller of a request and keeps it there, for {@link callerOf}. */
export function markCaller(request: IncomingMessage, trust: Trust): Caller {
  const peer = peerOf(request.socket, trust)
  const said = request.headers['x-forwarded-for']
  const caller = (said !== undefined && peer.isTrusted && forwardedCaller(String(said), trust)) || peer.caller
  ;(request as Marked<IncomingMessage, typeof CALLER, Caller>)[CALLER] = caller
  if (said !== undefined || request.headers['x-forwarded-port'] !== undefined) rewrite(request, caller)
  return caller
}

/**
 * Leaves of what proxies said of the caller only what is so: libraries that read the headers again
 * fail on the rest.
 */
function rewrite({ headers, socket }: IncomingMessage, { address }: Caller): void {
  if (isIP(address) !== 0 && address !== unmapped(socket.remoteAddress ?? ''))
    headers['x-forwarded-for'] = address
  else delete headers['x-forwarded-for']
  const port = Number(headers['x-forwarded-port'])
  if (!Number.isInteger(port) || port < 0 || port > PORT_MAX) delete headers['x-forwarded-port']
}

/** The caller of a request that went through {@link markCaller}, as all do. */
export function callerOf(request: IncomingMessage): Caller {
  const caller = (request as Marked<IncomingMessage, typeof CALLER, Caller>)[CALLER]
  if (caller === undefined) throw new Error('the caller of the request was not looked for')
  return caller
}

/** The network of a request's caller; undefined when it was refused before anybody looked. */
export const networkIfKnown = (request: IncomingMessage): string | undefined =>
  (request as Marked<IncomingMessage, typeof CALLER, Caller>)[CALLER]?.network

function peerOf(socket: Marked<Socket, typeof PEER, Peer>, trust: Trust): Peer {
  const known = socket[PEER]
  if (known !== undefined) return known
  const address = socket.remoteAddress ?? ''
  const isTrusted = trust(address, 0)
  const peer = { isTrusted, caller: { ...placeOf(address), isMasked: isTrusted } }
  socket[PEER] = peer
  return peer
}

/**
 * The last address of the list that is not a trusted proxy's, or else the first of all; undefined
 * for a list of none.
 */
function forwardedCaller(said: string, trust: Trust): Caller | undefined {
  const addresses = said.split(',').flatMap((address) => address.trim() || [])
  let at = addresses.length - 1
  for (let hop = 1; at > 0 && trust(addresses[at]!, hop); hop++) at--
  const found = addresses[at]
  return found === undefined ? undefined : { ...placeOf(found), isMasked: false }
}

const placeOf = (address: string): Omit<Caller, 'isMasked'> => ({
  address: unmapped(address),
  network: networkOf(address),
})
