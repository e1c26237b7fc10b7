/**
 * Wakes waiters when there may be something new. A wake-up is a hint: a waiter that is woken looks
 * for itself, so a spurious wake-up does no harm, and one without waiters is not kept.
 */
export class Wakeup {
  #woken = Promise.withResolvers<void>()

  /**
   * Resolves at the next `wake`. Ask for it before looking, and nothing that comes in between is
   * missed.
   */
  next(): Promise<void> {
    return this.#woken.promise
  }

  wake(): void {
    const woken = this.#woken
    this.#woken = Promise.withResolvers<void>()
    woken.resolve()
  }
}
