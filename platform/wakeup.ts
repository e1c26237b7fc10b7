/**
 * Tells whoever waits that there may be something new. A wake-up is a hint: the one who is woken looks for himself, so a
 * wake-up too many does no harm, and one that comes while nobody waits is not kept.
 */
export class Wakeup {
  #woken = Promise.withResolvers<void>()

  /** Resolves at the next `wake`. Ask for it before looking, and nothing that comes in between is missed. */
  next(): Promise<void> {
    return this.#woken.promise
  }

  wake(): void {
    const woken = this.#woken
    this.#woken = Promise.withResolvers<void>()
    woken.resolve()
  }
}
