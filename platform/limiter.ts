/**
 * Counts how often something is done, by keys, in windows of time, in memory. Keys are account ids
 * or networks, or hashes where neither is known; never text that a caller wrote. Their number is
 * bounded.
 */
import {
  RateLimitExceededError,
  type RateLimiterI,
  type RateLimiterOptions,
  type RateLimiterStatus,
} from '@atproto/xrpc-server'

/** Keys of one limiter. With more in one window, those counted longest are forgotten. */
export const KEYS_MAX = 100_000
/** Ended windows that each count clears away: more than it can begin. */
const CLEARED_WINDOWS = 2

export interface LimiterOptions {
  readonly points: number
  readonly durationMs: number
  readonly keysMax?: number
}

interface Window {
  consumed: number
  readonly endsAt: number
}

/** What a key has used up of its window, as `RateLimit-*` headers say it. */
export type LimitStatus = RateLimiterStatus

export class Limiter {
  readonly #points: number
  readonly #durationMs: number
  readonly #keysMax: number
  /** In the order of their beginning, which is that of their end. */
  readonly #windows = new Map<string, Window>()

  constructor({ points, durationMs, keysMax = KEYS_MAX }: LimiterOptions) {
    this.#points = points
    this.#durationMs = durationMs
    this.#keysMax = keysMax
  }

  /** Keys that are counted now. */
  get size(): number {
    return this.#windows.size
  }

  /** Counts, also what goes beyond the limit: {@link isExceeded} says whether it did. */
  count(key: string, points = 1, now = Date.now()): LimitStatus {
    let window = this.#windows.get(key)
    const isNew = window === undefined || window.endsAt <= now
    if (isNew || window === undefined) {
      this.#windows.delete(key)
      this.#clear(now)
      window = { consumed: 0, endsAt: now + this.#durationMs }
      this.#windows.set(key, window)
    }
    window.consumed += points
    return {
      limit: this.#points,
      duration: Math.floor(this.#durationMs / 1000),
      remainingPoints: Math.max(this.#points - window.consumed, 0),
      msBeforeNext: window.endsAt - now,
      consumedPoints: window.consumed,
      isFirstInDuration: isNew,
    }
  }

  #clear(now: number): void {
    let looks = CLEARED_WINDOWS
    for (const [key, { endsAt }] of this.#windows) {
      if (endsAt > now ? this.#windows.size < this.#keysMax : looks-- === 0) break
      this.#windows.delete(key)
    }
  }
}

export const isExceeded = ({ consumedPoints, limit }: LimitStatus): boolean => consumedPoints > limit

/** A limiter as `@atproto/xrpc-server` asks for one. A key of null is not counted. */
export function xrpcLimiter<C>(
  limiter: Limiter,
  { calcKey, calcPoints }: Pick<RateLimiterOptions<C>, 'calcKey' | 'calcPoints'>,
): RateLimiterI<C> {
  return {
    async consume(context, options) {
      const key = (options?.calcKey ?? calcKey)(context)
      const points = (options?.calcPoints ?? calcPoints)(context)
      if (key === null || points < 1) return null
      const status = limiter.count(key, points)
      if (isExceeded(status)) throw new RateLimitExceededError(status)
      return status
    },
    async reset() {},
  }
}
