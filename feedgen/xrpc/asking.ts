/** What the methods around algorithms share: how reasons look on the wire. */
import { DomainError } from '#platform/errors.ts'
import type { Shown } from '../engine/jobs.ts'

export function unknownFeed(reason = 'no such algorithm is known here'): DomainError {
  return new DomainError('notFound', reason, 'UnknownFeed')
}

/** A score in thousandths; the data model has no fractions. */
export function milli(score: number | undefined): number | undefined {
  return score === undefined ? undefined : Math.round(score * 1000)
}

/** An item of a preview as it is sent. */
export function itemOf({ post, repost, score, why }: Shown & { why: readonly object[] }): object {
  return { post, repost, scoreMilli: milli(score), why }
}
