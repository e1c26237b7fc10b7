/**
 * Faults: errors of the runtime, of the system and of the database, whose texts speak of code,
 * paths and tables. They are for the log, and never for a client.
 */

/** Classes whose errors no library that is used here throws for what a caller sent. */
const FAULTS = [RangeError, ReferenceError, EvalError]

/**
 * Messages of engines for code that met an unexpected value. Libraries throw errors of the same
 * class for invalid input, with helpful messages: only the messages distinguish the two.
 */
const ENGINE_TEXT =
  /^(?:Cannot |Class |Invalid array|Illegal |Object prototype|Reduce of|Right-hand side|Assignment to|Found non-callable|Iterator |Method .* called on|.* (?:is not|are not|is|has) (?:a |an |iterable|defined|extensible|not |undefined|read.?only))/is

/**
 * Codes of the system's errors (`ENOENT`), of Node's own (`ERR_INVALID_ARG_TYPE`) and of SQLite's
 * (`SQLITE_FULL`).
 */
const FAULT_CODE = /^(?:E[A-Z0-9]+|ERR_(?!J)[A-Z0-9_]+|SQLITE_[A-Z_]+|UND_ERR_[A-Z_]+)$/

/** Whether an error is a fault, or one that a fault caused and that repeats its text. */
export function isFault(error: unknown): error is Error {
  for (let at: unknown = error, text = (error as Error | undefined)?.message; at instanceof Error; ) {
    if (isOwnFault(at) && text?.includes(at.message)) return true
    at = at.cause
  }
  return false
}

function isOwnFault(error: Error): boolean {
  // `http-errors` says of its texts that they are for clients.
  if (error.message === '' || (error as { expose?: unknown }).expose === true) return false
  if (FAULTS.some((fault) => error instanceof fault)) return true
  if (error instanceof TypeError && ENGINE_TEXT.test(error.message)) return true
  const { code } = error as { code?: unknown }
  return typeof code === 'string' && FAULT_CODE.test(code)
}

/** Whether code ran out of stack, as it does over what nests too deeply. */
export const isStackOverflow = (error: unknown): boolean =>
  error instanceof Error &&
  ((error instanceof RangeError && error.message.includes('call stack')) || isStackOverflow(error.cause))
