/**
 * What went by on the firehose, counted; and what was wrong with what was passed over, logged, but
 * not a line for each.
 */

import { type Logger, logger } from '#platform/log.ts'
import { MINUTE_MS } from '#platform/time.ts'

/** Why an event or a record was passed over. */
export type Fault =
  /** A message larger than any frame may be. */
  | 'oversized'
  /** Bytes that are not a frame. */
  | 'malformed-frame'
  /** Blocks that are not a CAR file, or not what their CIDs name. */
  | 'malformed-blocks'
  /** The commit or a record is not among the blocks. */
  | 'missing-block'
  /** The commit's block is no commit, or says something else than its event. */
  | 'wrong-commit'
  /** A revision from the future. */
  | 'wrong-rev'
  /** The blocks do not show that the ops, and nothing else, made the tree. */
  | 'wrong-ops'
  /** No key is known for the author: there is no such DID, or its document has none. */
  | 'unknown-author'
  /** The author did not sign it. */
  | 'wrong-signature'
  /** A record without what its type must have. */
  | 'malformed-record'
  /** A label without what a label must have, or in another's name. */
  | 'malformed-label'
  /** An error of our own while looking at an event. */
  | 'internal'

/** An event that is passed over. */
export class EventFault extends Error {
  override name = 'EventFault'
  readonly fault: Fault
  constructor(fault: Fault, message: string, options?: ErrorOptions) {
    super(message, options)
    this.fault = fault
  }
}

/** Lines of the log for each kind of fault. */
const faultLinesPerPeriodMax = 5
const periodMs = MINUTE_MS

/** Numbers since the start of the process. */
export class Counts {
  /** Events by their kind, those at fault too. */
  readonly events = { commit: 0, sync: 0, identity: 0, account: 0, info: 0, error: 0, unknown: 0 }
  /** Commits and syncs that were verified. */
  verified = 0
  /** Commits, syncs and records of a sender who is trusted to have verified them. */
  trusted = 0
  /** Labels, those at fault too. */
  labels = 0
  /** Records in verified commits, of whatever type. */
  readonly ops = { create: 0, update: 0, delete: 0 }
  /** What became of events in the index. */
  readonly outcomes = { applied: 0, jumped: 0, stale: 0, deleted: 0, refused: 0 }
  /** What was passed over, by the reason. */
  readonly faults = new Map<Fault, number>()

  readonly #log: Logger
  readonly #lines = new Map<Fault, { since: number; count: number }>()

  constructor(log: Logger = logger('firehose')) {
    this.#log = log
  }

  /** Counts a fault and logs it, unless there were many of its kind lately. */
  fault(
    fault: Fault,
    about: { endpoint: string; did?: string; seq?: number; path?: string },
    error: unknown,
  ): void {
    this.faults.set(fault, (this.faults.get(fault) ?? 0) + 1)
    const now = Date.now()
    let lines = this.#lines.get(fault)
    if (!lines || now - lines.since > periodMs) {
      if (lines && lines.count > faultLinesPerPeriodMax) {
        this.#log.info({ fault, count: lines.count - faultLinesPerPeriodMax }, 'more were passed over')
      }
      lines = { since: now, count: 0 }
      this.#lines.set(fault, lines)
    }
    lines.count++
    if (lines.count > faultLinesPerPeriodMax) return
    if (fault === 'internal')
      this.#log.error(
        {
          fault,
          ...about,
          err: error,
          todo: 'the event is dropped and the rest goes on; report this with the stack',
        },
        'an error while looking at an event',
      )
    else
      this.#log.info({ fault, ...about, reason: String((error as Error)?.message ?? error) }, 'passed over')
  }
}
