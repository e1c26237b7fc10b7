/**
 * Ranked lists that stay as they are while people page through them, although what they are made
 * from changes all the time.
 *
 * The newest list of a key is served while the next is made behind it, once somebody looks at one
 * that is older than `freshMs`; only a list that is older than `staleMsMax` makes people wait.
 * Later pages find theirs by its number. All lists together have at most `itemsMax` items: the ones
 * that nobody looked at for longest are dropped, and everything is at a restart. A reader whose
 * list is gone continues in the newest one.
 */

import { setTimeout as sleep } from 'node:timers/promises'

/** A list and the number that finds it again. */
export interface List<T> {
  readonly id: number
  readonly items: readonly T[]
}

export interface ListsOptions {
  freshMs: number
  staleMsMax: number
  itemsMax: number
  /**
   * How long who looks at an older list waits for the next, where they say that nobody else looks
   * at it.
   */
  waitMsMax?: number
  /**
   * Whether a list that cannot be made for this reason leaves the one before in service, however
   * old.
   */
  isPassing?: (error: unknown) => boolean
  now?: () => number
}

interface Newest<T> {
  readonly list: List<T>
  readonly madeAt: number
}

export class Lists<T> {
  readonly #options: Required<ListsOptions>
  /** By key and number; the ones looked at last come last. */
  readonly #kept = new Map<string, List<T>>()
  readonly #newest = new Map<string, Newest<T>>()
  readonly #making = new Map<string, Promise<List<T>>>()
  #items = 0
  #lastId = 0

  constructor(options: ListsOptions) {
    this.#options = { now: Date.now, isPassing: () => false, waitMsMax: 0, ...options }
  }

  /**
   * The newest list of a key, which `make` makes.
   * @param options `isOwn`: one person alone looks at this key, and would see the list of before
   * once more; they wait a little for the next
   */
  async newest(
    key: string,
    make: () => Promise<readonly T[]>,
    { isOwn = false }: { isOwn?: boolean } = {},
  ): Promise<List<T>> {
    const { now, freshMs, staleMsMax, isPassing, waitMsMax } = this.#options
    const newest = this.#newest.get(key)
    if (newest === undefined) return this.#make(key, make)
    const age = now() - newest.madeAt
    if (age >= 0 && age < freshMs) return this.#touch(key, newest.list)
    const making = this.#make(key, make)
    if (age < 0 || age >= staleMsMax) {
      return making.catch((error: unknown) => {
        if (!isPassing(error)) throw error
        return this.#touch(key, newest.list)
      })
    }
    // An error reaches those who wait for it; the next request tries again.
    const made = making.catch(() => undefined)
    const next = isOwn ? await Promise.race([made, pause(waitMsMax)]) : undefined
    return next ?? this.#touch(key, newest.list)
  }

  /** The list of that key and number, if it is still kept. */
  find(key: string, id: number): List<T> | undefined {
    const list = this.#kept.get(nameOf(key, id))
    return list && this.#touch(key, list)
  }

  /** How many items all lists have together. */
  get items(): number {
    return this.#items
  }

  #make(key: string, make: () => Promise<readonly T[]>): Promise<List<T>> {
    let making = this.#making.get(key)
    if (making === undefined) {
      const { now } = this.#options
      making = make()
        .then((items) => this.#keep(key, { id: this.#nextId(now()), items }, now()))
        .finally(() => this.#making.delete(key))
      this.#making.set(key, making)
    }
    return making
  }

  #keep(key: string, list: List<T>, madeAt: number): List<T> {
    this.#newest.delete(key)
    this.#newest.set(key, { list, madeAt })
    this.#kept.set(nameOf(key, list.id), list)
    // An empty one takes room too.
    this.#items += list.items.length + 1
    for (const [name, old] of this.#kept) {
      if (this.#items <= this.#options.itemsMax || old === list) break
      this.#kept.delete(name)
      this.#items -= old.items.length + 1
      const its = name.slice(0, name.lastIndexOf(' '))
      if (this.#newest.get(its)?.list === old) this.#newest.delete(its)
    }
    return list
  }

  #touch(key: string, list: List<T>): List<T> {
    const name = nameOf(key, list.id)
    if (this.#kept.delete(name)) this.#kept.set(name, list)
    return list
  }

  #nextId(now: number): number {
    this.#lastId = Math.max(now, this.#lastId + 1)
    return this.#lastId
  }
}

/** Time alone, which keeps no process running. */
function pause(ms: number): Promise<undefined> {
  return sleep(ms, undefined, { ref: false })
}

function nameOf(key: string, id: number): string {
  return `${key} ${id}`
}
