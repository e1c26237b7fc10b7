/**
 * How often what may be asked: limits for all of XRPC and for single methods, as the reference sets them. What was used up is kept in
 * memory, and said in `RateLimit-*` headers.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import {
  type HandlerContext,
  MemoryRateLimiter,
  type Options,
  type RateLimitOpts,
} from '@atproto/xrpc-server'
import type { Services } from '../services.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** Requests of one address in five minutes, whatever they ask for. */
const REQUESTS_MAX = 3_000
/** Points that an account's writes cost: its hours and days are limited by them. */
const WRITE_POINTS = { create: 3, update: 2, delete: 1 }
const WRITE_POINTS_HOURLY_MAX = 5_000
const WRITE_POINTS_DAILY_MAX = 35_000
const WRITES_HOURLY = 'repo-write-hour'
const WRITES_DAILY = 'repo-write-day'

/** Downloads of whole repositories have a limit of their own, and leave the common one alone. */
const DOWNLOAD_PATH = '/xrpc/com.atproto.sync.getRepo'
const BYPASS_HEADER = 'x-ratelimit-bypass'

type Context = HandlerContext
type Limit = RateLimitOpts<Context>

const caller = ({ auth }: Context): string => (auth as { credentials: { did: string } }).credentials.did
const input = ({ input }: Context) => (input as { body: unknown }).body
const nameAndAddress = (context: Context): string =>
  `${(input(context) as { identifier: string }).identifier}-${context.req.ip}`

const perMinutes = (minutes: number, points: number, calcKey?: (context: Context) => string): Limit => ({
  durationMs: minutes * MINUTE_MS,
  points,
  calcKey,
})
const perHour = (points: number, calcKey?: (context: Context) => string) => perMinutes(60, points, calcKey)
const perDay = (points: number, calcKey?: (context: Context) => string) =>
  perMinutes(24 * 60, points, calcKey)

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

/** The limits of single methods, beside the common one. Counted for each address where nothing else is said. */
export const methodLimits: Readonly<Record<string, readonly Limit[]>> = {
  'com.atproto.identity.updateHandle': [perMinutes(5, 10, caller), perDay(50, caller)],
  'com.atproto.repo.applyWrites': writes(pointsOfWrites),
  'com.atproto.repo.createRecord': write('create'),
  'com.atproto.repo.deleteRecord': write('delete'),
  'com.atproto.repo.putRecord': write('update'),
  'com.atproto.repo.uploadBlob': [perDay(1_000)],
  'com.atproto.server.createAccount': [perMinutes(5, 100)],
  'com.atproto.server.createSession': [perDay(300, nameAndAddress), perMinutes(5, 30, nameAndAddress)],
  'com.atproto.server.deactivateAccount': [perDay(50, caller), perHour(15, caller)],
  'com.atproto.server.deleteAccount': [perMinutes(5, 50)],
  'com.atproto.server.requestAccountDelete': [perDay(15, caller), perHour(5, caller)],
  'com.atproto.server.requestEmailConfirmation': [perDay(15, caller), perHour(5, caller)],
  'com.atproto.server.requestEmailUpdate': [perDay(15, caller), perHour(5, caller)],
  'com.atproto.server.requestPasswordReset': [perDay(50), perHour(15)],
  'com.atproto.server.resetPassword': [perMinutes(5, 50)],
  'com.atproto.sync.getRepo': [perMinutes(5, 6_000)],
}

/** The limits of the whole server, for the library's; undefined when requests are not limited. */
export function serverLimits({ rateLimits }: Services['config']): Options['rateLimits'] {
  if (rateLimits === undefined) return undefined
  const bypassKey = rateLimits.bypassKey === undefined ? undefined : fingerprint(rateLimits.bypassKey)
  return {
    creator: (options) => new MemoryRateLimiter(options),
    bypass: ({ req }) => {
      const key = req.headers[BYPASS_HEADER]
      const hasKey =
        bypassKey !== undefined && typeof key === 'string' && timingSafeEqual(fingerprint(key), bypassKey)
      return hasKey || (req.ip !== undefined && rateLimits.bypassIps.includes(req.ip))
    },
    global: [
      {
        name: 'global-ip',
        durationMs: 5 * MINUTE_MS,
        points: REQUESTS_MAX,
        calcKey: ({ req }) => (req.path === DOWNLOAD_PATH ? null : (req.ip ?? null)),
      },
    ],
    shared: [
      { name: WRITES_HOURLY, durationMs: HOUR_MS, points: WRITE_POINTS_HOURLY_MAX },
      { name: WRITES_DAILY, durationMs: DAY_MS, points: WRITE_POINTS_DAILY_MAX },
    ],
  }
}

/** Compared instead of the key: of one length, whatever was sent. */
const fingerprint = (text: string): Buffer => createHash('sha256').update(text).digest()
