/** What the methods around algorithms share: what goes wrong in them, how reasons look on the wire. */
import { InvalidRequestError, ResponseType, XRPCError } from '@atproto/xrpc-server'
import { InvalidDefinitionError } from '../algorithm/read.ts'
import { CancelledError, DeadlineError } from '../engine/deadline.ts'
import { BusyError } from '../engine/evaluator.ts'
import type { Shown } from '../engine/jobs.ts'
import { InvalidCursorError } from '../feeds/cursor.ts'

/** The answer of a method, or its error as callers get it. */
export async function asking<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof InvalidDefinitionError)
      throw new InvalidRequestError(error.message, 'InvalidDefinition')
    if (error instanceof DeadlineError) throw new InvalidRequestError(error.message, 'TooExpensive')
    if (error instanceof CancelledError) throw new InvalidRequestError(error.message, 'Superseded')
    if (error instanceof InvalidCursorError) throw new InvalidRequestError(error.message)
    if (error instanceof BusyError) throw new XRPCError(ResponseType.RateLimitExceeded, error.message)
    throw error
  }
}

export function unknownFeed(reason = 'no such algorithm is known here'): InvalidRequestError {
  return new InvalidRequestError(reason, 'UnknownFeed')
}

/** A score in thousandths; the data model has no fractions. */
export function milli(score: number | undefined): number | undefined {
  return score === undefined ? undefined : Math.round(score * 1000)
}

/** An item of a preview as it is sent. */
export function itemOf({ post, repost, score, why }: Shown & { why: readonly object[] }): object {
  return { post, repost, scoreMilli: milli(score), why }
}
