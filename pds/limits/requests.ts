/** What every request counts against, by the network that it comes from, and who is not counted. */

import type { Caller } from '#platform/callers.ts'
import type { GateOptions } from '#platform/gate.ts'
import { Limiter } from '#platform/limiter.ts'
import { comparerOf } from '#platform/sealing.ts'
import { MINUTE_MS } from '#platform/time.ts'

const DURATION_MS = 5 * MINUTE_MS
/**
 * What relays and others that mirror repositories ask for. It has a budget of its own: readers of
 * it take nothing from people.
 */
const SYNC_PATH = '/xrpc/com.atproto.sync.'
const BYPASS_HEADER = 'x-ratelimit-bypass'

export interface RequestLimits {
  readonly bypassKey: string | undefined
  readonly points: { readonly requestsIn5Minutes: number; readonly syncRequestsIn5Minutes: number }
}

/** @param isExemptCaller who is not limited, whatever is asked for */
export function requestBudgets(
  { bypassKey, points }: RequestLimits,
  isExemptCaller: (caller: Caller) => boolean,
): Pick<GateOptions, 'budget' | 'isExempt'> {
  const all = new Limiter({ points: points.requestsIn5Minutes, durationMs: DURATION_MS })
  const sync = new Limiter({ points: points.syncRequestsIn5Minutes, durationMs: DURATION_MS })
  const bypass = bypassKey === undefined ? undefined : comparerOf(bypassKey)
  return {
    budget: ({ url }) => (url?.startsWith(SYNC_PATH) === true ? sync : all),
    isExempt: ({ headers: { [BYPASS_HEADER]: key } }, caller) =>
      isExemptCaller(caller) || (bypass !== undefined && typeof key === 'string' && bypass(key)),
  }
}
