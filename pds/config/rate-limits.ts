/** How many requests there may be in a time, and how much at once of what takes long. */
import type { Env } from '#platform/env.ts'

export interface RateLimitsConfig {
  /** Requests with this value as `x-ratelimit-bypass` are not limited. */
  readonly bypassKey: string | undefined
  /** Addresses that are not limited, and whose `X-Forwarded-For` is believed. */
  readonly bypassIps: readonly string[]
  readonly points: RateLimitPoints
}

/** How many there may be in a time, of a network or an account. */
export type RateLimitPoints = { readonly [limit in keyof typeof RATE_LIMITS]: number }

/** How many there may be at once. */
export interface AtOnceConfig {
  readonly max: number
  readonly networkMax: number
}

/**
 * Each limit's variable, `PDS_RATE_LIMIT_<name>`, and its default: that of `@atproto/pds` if any.
 */
const RATE_LIMITS = {
  /** Requests of one network, whatever they ask for but what has a limit of its own. */
  requestsIn5Minutes: ['REQUESTS', 3_000],
  /** Requests of one network for `com.atproto.sync`. */
  syncRequestsIn5Minutes: ['SYNC_REQUESTS', 6_000],
  /** Downloads of whole repositories by one network. */
  downloadsIn5Minutes: ['DOWNLOADS', 6_000],
  /** Points per write: 3 for a created record, 2 for an updated one, 1 for a deleted one. */
  writesHourly: ['WRITES_HOURLY', 5_000],
  writesDaily: ['WRITES_DAILY', 35_000],
  /** Blobs from one network. */
  uploadsDaily: ['UPLOADS_DAILY', 1_000],
  /** New handles of one account. */
  handlesIn5Minutes: ['HANDLES', 10],
  handlesDaily: ['HANDLES_DAILY', 50],
  signUpsIn5Minutes: ['SIGN_UPS', 100],
  /** Attempts to sign in to one account from one network. */
  signInsIn5Minutes: ['SIGN_INS', 30],
  signInsDaily: ['SIGN_INS_DAILY', 300],
  /** Attempts to sign in from one network, to any accounts. */
  networkSignInsIn5Minutes: ['NETWORK_SIGN_INS', 100],
  /** Attempts to sign in to one account from anywhere; from there on they wait. */
  accountSignInsHourly: ['ACCOUNT_SIGN_INS_HOURLY', 100],
  /** Mailed codes that one network tries. */
  codesIn5Minutes: ['CODES', 50],
  passwordResetsHourly: ['PASSWORD_RESETS_HOURLY', 15],
  passwordResetsDaily: ['PASSWORD_RESETS_DAILY', 50],
  /** Mails that one account asks for, of each kind. */
  mailsHourly: ['MAILS_HOURLY', 5],
  mailsDaily: ['MAILS_DAILY', 15],
} as const satisfies Record<string, readonly [name: string, points: number]>

/** @param isPublic whether the host is public: then requests are limited by default */
export function rateLimits(env: Env, isPublic: boolean): RateLimitsConfig | undefined {
  const bypassKey = env.string('PDS_RATE_LIMIT_BYPASS_KEY')
  const bypassIps = env.addresses('PDS_RATE_LIMIT_BYPASS_IPS')
  const points = Object.fromEntries(
    Object.entries(RATE_LIMITS).map(([limit, [name, preset]]) => [
      limit,
      env.int(`PDS_RATE_LIMIT_${name}`, preset, { min: 1 }),
    ]),
  ) as RateLimitPoints
  return env.bool('PDS_RATE_LIMITS_ENABLED', isPublic) ? { bypassKey, bypassIps, points } : undefined
}

/** `<prefix>_MAX` in all, and `<prefix>_NETWORK_MAX` of one network. */
export function atOnce(env: Env, prefix: string, preset: AtOnceConfig): AtOnceConfig {
  return {
    max: env.int(`${prefix}_MAX`, preset.max, { min: 1 }),
    networkMax: env.int(`${prefix}_NETWORK_MAX`, preset.networkMax, { min: 1 }),
  }
}
