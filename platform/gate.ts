/**
 * The one place where requests come in, for both services: finds the caller, counts the request by
 * its network, and refuses what is too much before anything else looks at it, pages, OAuth and
 * upgrades included.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { RateLimitExceededError } from '@atproto/xrpc-server'
import { type Caller, markCaller, type Trust } from './callers.ts'
import { refuseUpgrade } from './http.ts'
import { isExceeded, type Limiter, type LimitStatus } from './limiter.ts'
import { logger } from './log.ts'

export interface GateOptions {
  /** Whose word on the caller is believed. */
  readonly trust: Trust
  /** What a request counts against; undefined for none. Left out, nothing is limited. */
  readonly budget?: (request: IncomingMessage) => Limiter | undefined
  /** Who is not limited. */
  readonly isExempt?: (request: IncomingMessage, caller: Caller) => boolean
}

/** Requests without a word on their caller, and none with one, after which the operator is told. */
const MASKED_REQUESTS_MAX = 1_000

/** What the gate found. */
interface Admission {
  readonly isExempt: boolean
  /** undefined when the request was not counted. */
  readonly status: LimitStatus | undefined
}

const ADMISSION = Symbol('admission')
type Admitted = IncomingMessage & { [ADMISSION]?: Admission }
const UNLIMITED: Admission = { isExempt: true, status: undefined }
const UNCOUNTED: Admission = { isExempt: false, status: undefined }

const log = logger('http')

export class Gate {
  readonly #options: GateOptions
  /**
   * Requests whose caller nothing is known of; NaN once there was another, or the operator knows.
   */
  #masked = 0

  constructor(options: GateOptions) {
    this.#options = options
  }

  /** Lets a request in, or answers it. */
  admits(request: IncomingMessage, response: ServerResponse): boolean {
    const status = this.#look(request)
    if (status === undefined) return true
    refuse(request, response, status)
    return false
  }

  /** Lets a request for an upgrade in, or ends its connection. */
  admitsUpgrade(request: IncomingMessage, socket: Duplex): boolean {
    const status = this.#look(request)
    if (status === undefined) return true
    refuseUpgrade(socket, 429, { 'Retry-After': secondsLeft(status) })
    return false
  }

  /** @returns the limit that the request is beyond */
  #look(request: Admitted): LimitStatus | undefined {
    const { trust, budget, isExempt } = this.#options
    const caller = markCaller(request, trust)
    // A preflight costs no more than its refusal.
    if (budget === undefined || request.method === 'OPTIONS') return undefined
    if (isExempt?.(request, caller)) {
      request[ADMISSION] = UNLIMITED
      return undefined
    }
    if (caller.isMasked) this.#warnWhenMasked(caller)
    else this.#masked = Number.NaN
    const status = caller.isMasked ? undefined : budget(request)?.count(caller.network)
    request[ADMISSION] = status === undefined ? UNCOUNTED : { isExempt: false, status }
    return status !== undefined && isExceeded(status) ? status : undefined
  }

  #warnWhenMasked({ address }: Caller): void {
    if (++this.#masked !== MASKED_REQUESTS_MAX) return
    this.#masked = Number.NaN
    log.warn(
      { address, todo: 'let the proxy in front set X-Forwarded-For' },
      'every request comes from one private address and does not say for whom: limits for each network are off',
    )
  }
}

/** Whether the gate found that the caller of a request is not limited. */
export const isUnlimited = (request: IncomingMessage): boolean =>
  (request as Admitted)[ADMISSION]?.isExempt === true

/**
 * What the gate counted, for `@atproto/xrpc-server` to say it in `RateLimit-*` headers beside the
 * limits of methods.
 */
export const countedAtGate = {
  async consume({ req }: { req: IncomingMessage }): Promise<LimitStatus | null> {
    return (req as Admitted)[ADMISSION]?.status ?? null
  },
  async reset(): Promise<void> {},
}

const secondsLeft = ({ msBeforeNext }: LimitStatus): number => Math.ceil(msBeforeNext / 1000)

const EXPOSED = 'RateLimit-Limit, RateLimit-Reset, RateLimit-Remaining, RateLimit-Policy, Retry-After'

function refuse(request: IncomingMessage, response: ServerResponse, status: LimitStatus): void {
  const { url = '' } = request
  response.setHeader('Retry-After', secondsLeft(status))
  if (url.startsWith('/xrpc/')) {
    response.writeHead(429, {
      'RateLimit-Limit': status.limit,
      'RateLimit-Reset': Math.floor((Date.now() + status.msBeforeNext) / 1000),
      'RateLimit-Remaining': status.remainingPoints,
      'RateLimit-Policy': `${status.limit};w=${status.duration}`,
      'Access-Control-Allow-Origin': '*',
      'Access-Control-Expose-Headers': EXPOSED,
      'Content-Type': 'application/json; charset=utf-8',
    })
    response.end(JSON.stringify(new RateLimitExceededError(status).payload))
  } else if (url.startsWith('/oauth/') && request.method === 'POST') {
    response.writeHead(429, { 'Access-Control-Allow-Origin': '*', 'Content-Type': 'application/json' })
    response.end(JSON.stringify({ error: 'rate_limit_exceeded', error_description: TOO_MANY }))
  } else response.writeHead(429, { 'Content-Type': 'text/plain; charset=utf-8' }).end(TOO_MANY)
}

const TOO_MANY = 'Too many requests. Try again later.'

/**
 * For responses of methods, whatever another service or a stranger put into them: no page, no
 * script, no guess at their type.
 */
export function sandbox(response: ServerResponse): void {
  response.setHeader('X-Content-Type-Options', 'nosniff')
  response.setHeader('Content-Security-Policy', "default-src 'none'; sandbox")
}
