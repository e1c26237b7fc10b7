/**
 * Names that are about to be an account's: handles, and the addresses and DIDs of accounts that are
 * being created. Two calls at once must not both register one in the directory.
 */
export class PendingNames {
  readonly #names = new Set<string>()

  has(name: string): boolean {
    return this.#names.has(name)
  }

  /** Holds names until the result is disposed of. */
  hold(...names: readonly string[]): Disposable {
    for (const name of names) this.#names.add(name)
    return {
      [Symbol.dispose]: () => {
        for (const name of names) this.#names.delete(name)
      },
    }
  }
}
