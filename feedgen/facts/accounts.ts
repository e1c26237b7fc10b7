/** How long what an AppView says of accounts may be relied on. */
import type { AccountFacts } from './facts.ts'

/** An account that the AppView did not know may only be new: it is asked about again after this long. */
const UNKNOWN_MS_MAX = 3_600_000

/** Until when what is known of an account may be relied on; milliseconds since 1970. */
export function reliableUntil({ createdAt, followers, readAt }: AccountFacts, ageMsMax: number): number {
  const isUnknown = createdAt === undefined && followers === undefined
  return readAt + (isUnknown ? Math.min(UNKNOWN_MS_MAX, ageMsMax) : ageMsMax)
}
