/**
 * How often methods may be asked for, and what of them is done at once: `@atproto/pds`'s numbers, unless the operator has others. What
 * was used up is kept in memory, and said in `RateLimit-*` headers. What all requests count against is the gate's.
 */
import {
  type HandlerContext,
  type Options,
  RateLimitExceededError,
  type RateLimiterI,
  type RateLimiterOptions,
  type RateLimitOpts,
} from '@atproto/xrpc-server'
import { callerOf } from '#platform/callers.ts'
import { countedAtGate, isUnlimited } from '#platform/gate.ts'
import { isExceeded, Limiter, type LimitStatus, xrpcLimiter } from '#platform/limiter.ts'
import { Places, type PlacesOptions } from '../limits/places.ts'
import { type SignIns, SignInsBusyError } from '../limits/sign-ins.ts'
import type { Services } from '../services.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** Points that an account's writes cost: its hours and days are limited by them. */
const WRITE_POINTS = { create: 3, update: 2, delete: 1 }
const WRITES_HOURLY = 'repo-write-hour'
const WRITES_DAILY = 'repo-write-day'
/** Stands for the limits of `SignIns`, which the pages count in too. */
const SIGN_INS = 'sign-ins'
/** Stands for what the gate counted. */
const GATE = 'gate'

type Context = HandlerContext
type Limit = RateLimitOpts<Context>
type Points = NonNullable<Services['config']['rateLimits']>['points']

const caller = ({ auth }: Context): string => (auth as { credentials: { did: string } }).credentials.did
const input = ({ input }: Context) => (input as { body: unknown }).body

/** The caller's network; null for who is not told apart from others. */
const network = ({ req }: Context): string | null => {
  const { network, isMasked } = callerOf(req)
  return isMasked ? null : network
}

const perMinutes = (minutes: number, points: number, calcKey = network): Limit => ({
  durationMs: minutes * MINUTE_MS,
  points,
  calcKey: calcKey as (context: Context) => string,
})
const perHour = (points: number, calcKey = network) => perMinutes(60, points, calcKey)
const perDay = (points: number, calcKey = network) => perMinutes(24 * 60, points, calcKey)

const writes = (calcPoints: (context: Context) => number): Limit[] =>
  [WRITES_HOURLY, WRITES_DAILY].map((name) => ({ name, calcKey: caller, calcPoints }))
const write = (kind: keyof typeof WRITE_POINTS) => writes(() => WRITE_POINTS[kind])

const pointsOfWrites = (context: Context): number => {
  const { writes } = input(context) as { writes: readonly { $type?: string }[] }
  return writes.reduce((points, { $type }) => {
    if ($type === 'com.atproto.repo.applyWrites#create') return points + WRITE_POINTS.create
    return (
      points + ($type === 'com.atproto.repo.applyWrites#update' ? WRITE_POINTS.update : WRITE_POINTS.delete)
    )
  }, 0)
}

/** The limits of single methods, beside the common one. Counted for each network where nothing else is said. */
export function methodLimits(points: Points): Readonly<Record<string, Limit[]>> {
  const mails = [perDay(points.mailsDaily, caller), perHour(points.mailsHourly, caller)]
  const codes = [perMinutes(5, points.codesIn5Minutes)]
  return {
    'com.atproto.identity.updateHandle': [
      perMinutes(5, points.handlesIn5Minutes, caller),
      perDay(points.handlesDaily, caller),
    ],
    'com.atproto.repo.applyWrites': writes(pointsOfWrites),
    'com.atproto.repo.createRecord': write('create'),
    'com.atproto.repo.deleteRecord': write('delete'),
    'com.atproto.repo.putRecord': write('update'),
    'com.atproto.repo.uploadBlob': [perDay(points.uploadsDaily)],
    'com.atproto.server.createAccount': [perMinutes(5, points.signUpsIn5Minutes)],
    'com.atproto.server.createSession': [{ name: SIGN_INS }],
    'com.atproto.server.deactivateAccount': mails,
    'com.atproto.server.deleteAccount': codes,
    'com.atproto.server.requestAccountDelete': mails,
    'com.atproto.server.requestEmailConfirmation': mails,
    'com.atproto.server.requestEmailUpdate': mails,
    'com.atproto.server.requestPasswordReset': [
      perDay(points.passwordResetsDaily),
      perHour(points.passwordResetsHourly),
    ],
    'com.atproto.server.resetPassword': codes,
    'com.atproto.sync.getRepo': [perMinutes(5, points.downloadsIn5Minutes)],
  }
}

/** What of methods that take long is done at once. */
export function methodPlaces(
  { exports, downloads, uploads, imports }: Services['config']['atOnce'],
  isExempt: PlacesOptions['isExempt'],
): ReadonlyMap<string, Places> {
  const repositories = new Places({ ...exports, isExempt })
  return new Map([
    ['com.atproto.sync.getRepo', repositories],
    ['com.atproto.sync.getCheckout', repositories],
    ['com.atproto.sync.getBlob', new Places({ ...downloads, isExempt })],
    ['com.atproto.repo.uploadBlob', new Places({ ...uploads, isExempt })],
    ['com.atproto.repo.importRepo', new Places({ ...imports, isExempt })],
  ])
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
