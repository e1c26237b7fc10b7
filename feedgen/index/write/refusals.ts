/** Which errors of a store come again however often the same is written. */

/**
 * Of PostgreSQL, by class: data that is none, a constraint that does not hold, a limit of the
 * program.
 */
const POSTGRES_CLASSES = new Set(['22', '23', '54'])
const SQLITE_CODES = /^SQLITE_(CONSTRAINT|TOOBIG|MISMATCH|RANGE)/

/**
 * Whether the store refuses what was written for good. A `TypeError` or `RangeError` is about the
 * data too: a driver that cannot bind a value, or an assumption of ours that this event does not
 * meet.
 */
export function isRefusal(error: unknown): boolean {
  if (error instanceof TypeError || error instanceof RangeError) return true
  const code = (error as { code?: unknown } | null)?.code
  if (typeof code !== 'string') return false
  return SQLITE_CODES.test(code) || (code.length === 5 && POSTGRES_CLASSES.has(code.slice(0, 2)))
}
