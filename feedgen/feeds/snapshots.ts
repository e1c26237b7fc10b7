/**
 * Lists that stay as they are while people page through them, although what they are made from changes all the time.
 *
 * A first page gets the newest list, made again when it is older than `freshMs`; later pages find theirs by its number. The oldest lists are dropped,
 * and so is everything at a restart: whoever finds his list gone goes on in the newest one.
 */

/** A list and the number that finds it again. */
export interface Snapshot<T> {
  readonly id: number
  readonly items: readonly T[]
}

export interface SnapshotOptions {
  /** How long a list counts as new. */
  freshMs: number
  /** How many lists are kept. */
  snapshotsMax: number
  now?: () => number
}

export class Snapshots<T> {
  readonly #make: () => Promise<readonly T[]>
  readonly #options: Required<SnapshotOptions>
  readonly #kept = new Map<number, Snapshot<T>>()
  #newest: Promise<Snapshot<T>> | undefined
  #madeAt: number | undefined

  constructor(make: () => Promise<readonly T[]>, options: SnapshotOptions) {
    this.#make = make
    this.#options = { now: Date.now, ...options }
  }

  /** The newest list. */
  newest(): Promise<Snapshot<T>> {
    const now = this.#options.now()
    const madeAt = this.#madeAt
    if (!this.#newest || madeAt === undefined || now < madeAt || now - madeAt >= this.#options.freshMs) {
      const id = madeAt === undefined ? now : Math.max(now, madeAt + 1)
      this.#madeAt = id
      const making = this.#take(id)
      this.#newest = making
      making.catch(() => {
        if (this.#newest === making) this.#newest = undefined
      })
    }
    return this.#newest
  }

  /** The list of that number, if it is still kept. */
  find(id: number): Snapshot<T> | undefined {
    return this.#kept.get(id)
  }

  async #take(id: number): Promise<Snapshot<T>> {
    const snapshot = { id, items: await this.#make() }
    this.#kept.set(id, snapshot)
    const [oldest] = this.#kept.keys()
    if (this.#kept.size > this.#options.snapshotsMax && oldest !== undefined) this.#kept.delete(oldest)
    return snapshot
  }
}
