/**
 * How long an evaluation may take. What strangers define is looked at post by post, and each post
 * may cost as much as they like.
 */

import { DomainError } from '#platform/errors.ts'

/** An evaluation took longer than it may. */
export class DeadlineError extends DomainError {
  override name = 'DeadlineError'

  constructor(message = 'this takes too long to evaluate; ask less of each post, or of fewer posts') {
    super('invalid', message, 'TooExpensive')
  }
}

/** Nobody waits for the answer any more. */
export class CancelledError extends DomainError {
  override name = 'CancelledError'

  constructor(message: string) {
    super('conflict', message, 'Superseded')
  }
}

/** The end of one evaluation, looked at before each post. */
export class Deadline {
  readonly #endsAt: number
  readonly #isCancelled: () => boolean

  constructor(ms: number, isCancelled: () => boolean = () => false) {
    this.#endsAt = performance.now() + ms
    this.#isCancelled = isCancelled
  }

  /** @throws DeadlineError, CancelledError */
  check(): void {
    if (performance.now() > this.#endsAt) throw new DeadlineError()
    if (this.#isCancelled()) throw new CancelledError('the evaluation was cancelled')
  }
}
