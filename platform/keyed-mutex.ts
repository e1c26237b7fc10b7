/**
 * Work on one thing at a time, in the order it was asked for; work on different things does not
 * wait for each other.
 */
export class Turns<K> {
  /** The last work asked for on each thing that has any. */
  readonly #last = new Map<K, Promise<unknown>>()

  /** Runs `work` when what was asked for on the same thing before has ended, well or badly. */
  async run<T>(thing: K, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(thing)
    const mine = before === undefined ? work() : before.then(work, work)
    this.#last.set(thing, mine)
    try {
      return await mine
    } finally {
      if (this.#last.get(thing) === mine) this.#last.delete(thing)
    }
  }
}
