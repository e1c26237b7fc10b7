/**
 * What the rate limits of endpoints are made of: `@atproto/pds`'s numbers, unless the operator has
 * others. What was used up is kept in memory, and stated in `RateLimit-*` headers. The gate counts
 * all requests.
 */

import {
  type HandlerContext,
  type Options,
  RateLimitExceededError,
  type RateLimiterI,
  type RateLimiterOptions,
} from '@atproto/xrpc-server'
import { callerOf } from '#platform/callers.ts'
import type { RateLimit } from '#platform/endpoint.ts'
import { countedAtGate, isUnlimited } from '#platform/gate.ts'
import { isExceeded, Limiter, type LimitStatus, xrpcLimiter } from '#platform/limiter.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '#platform/time.ts'
import { Places, type PlacesOptions } from '../limits/places.ts'
import { type SignIns, SignInsBusyError } from '../limits/sign-ins.ts'
import type { Services } from '../services.ts'
import type { AtOnce, LimitPoints } from './endpoint.ts'

/** Points that an account's writes cost. */
export const WRITE_POINTS = { create: 3, update: 2, delete: 1 }
const WRITES_HOURLY = 'repo-write-hour'
const WRITES_DAILY = 'repo-write-day'
/** Stands for the limits of `SignIns`. */
const SIGN_INS = 'sign-ins'
/** Stands for what the gate counted. */
const GATE = 'gate'

type Context = HandlerContext
type Key = (context: Context) => string | null

const input = ({ input }: Context) => (input as { body: unknown }).body

/** The account that calls. */
export const account: Key = ({ auth }) => (auth as { credentials: { did: string } }).credentials.did

/** The caller's network; null for callers that cannot be distinguished. */
const network: Key = ({ req }) => {
  const { network, isMasked } = callerOf(req)
  return isMasked ? null : network
}

/** So many calls of an endpoint in some minutes, for each network or another key. */
export const perMinutes =
  (minutes: number, number: keyof LimitPoints, calcKey: Key = network): RateLimit<LimitPoints> =>
  (points) => ({
    durationMs: minutes * MINUTE_MS,
    points: points[number],
    calcKey: calcKey as (context: Context) => string,
  })

export const perHour = (number: keyof LimitPoints, key: Key = network) => perMinutes(60, number, key)

export const perDay = (number: keyof LimitPoints, key: Key = network) => perMinutes(24 * 60, number, key)

/** The limits of methods that send a mail to the account. */
export const MAIL_LIMITS = [perDay('mailsDaily', account), perHour('mailsHourly', account)]

/** The points that an account has for writes, of which a call costs some. */
export const repoWrites = (pointsOf: (input: unknown) => number): RateLimit<LimitPoints>[] =>
  [WRITES_HOURLY, WRITES_DAILY].map((name) => () => ({
    name,
    calcKey: account as (context: Context) => string,
    calcPoints: (context) => pointsOf(input(context)),
  }))

/** The limits of sign-ins, which the pages count in too. */
export const signIns: RateLimit<LimitPoints> = () => ({ name: SIGN_INS })

/** The pools of slots for calls that take long. */
export function slotsFor(
  { exports, downloads, uploads, imports }: Services['config']['atOnce'],
  isExempt: PlacesOptions['isExempt'],
): Record<AtOnce, Places> {
  const pool = (options: PlacesOptions) => new Places({ ...options, isExempt })
  return {
    exports: pool(exports),
    downloads: pool(downloads),
    uploads: pool(uploads),
    imports: pool(imports),
  }
}

/** The limits of the whole server, for the library's; undefined when requests are not limited. */
export function serverLimits({
  config: { rateLimits },
  signIns,
}: Pick<Services, 'config' | 'signIns'>): Options['rateLimits'] {
  if (rateLimits === undefined || signIns === undefined) return undefined
  const { points } = rateLimits
  const shared = (name: string, points: number, durationMs: number) => ({ name, points, durationMs })
  return {
    creator: <C extends Context>(options: RateLimiterOptions<C>): RateLimiterI<C> => {
      if (options.keyPrefix === `rl-${GATE}`) return countedAtGate
      if (options.keyPrefix === `rl-${SIGN_INS}`) return signInLimiter(signIns)
      return xrpcLimiter(new Limiter(options), options)
    },
    bypass: ({ req }) => isUnlimited(req),
    // The numbers of those two are kept elsewhere.
    global: [shared(GATE, 0, 0)],
    shared: [
      shared(SIGN_INS, 0, 0),
      shared(WRITES_HOURLY, points.writesHourly, HOUR_MS),
      shared(WRITES_DAILY, points.writesDaily, DAY_MS),
    ],
  }
}

const signInLimiter = (signIns: SignIns) => ({
  async consume(context: Context): Promise<LimitStatus> {
    const { identifier } = input(context) as { identifier: string }
    try {
      const statuses = await signIns.count(identifier, callerOf(context.req))
      const tightest = statuses.reduce((one, other) =>
        other.remainingPoints < one.remainingPoints ? other : one,
      )
      const exceeded = statuses.find(isExceeded)
      if (exceeded !== undefined) throw new RateLimitExceededError(exceeded)
      return tightest
    } catch (error) {
      if (error instanceof SignInsBusyError) throw new RateLimitExceededError(error.status)
      throw error
    }
  },
  async reset(): Promise<void> {},
})
