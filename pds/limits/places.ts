/** What only so many callers may have at once, in all and from one network. */
import type { Caller } from '#platform/callers.ts'

export interface PlacesOptions {
  readonly max: number
  /** Of one network, unless it is exempt. */
  readonly networkMax: number
  /** Whose network has no share, only the whole. */
  readonly isExempt?: (caller: Caller) => boolean
}

export class Places {
  readonly #options: PlacesOptions
  readonly #taken = new Map<string, number>()
  #count = 0

  constructor(options: PlacesOptions) {
    this.#options = options
  }

  get isFull(): boolean {
    return this.#count >= this.#options.max
  }

  /** @returns gives the place back, when called the first time; undefined when there is none */
  take(caller: Caller): (() => void) | undefined {
    const { networkMax, isExempt } = this.#options
    const { network, isMasked } = caller
    const taken = this.#taken.get(network) ?? 0
    if (this.isFull) return undefined
    if (taken >= networkMax && !isMasked && !isExempt?.(caller)) return undefined
    this.#count++
    this.#taken.set(network, taken + 1)
    let isLeft = false
    return () => {
      if (isLeft) return
      isLeft = true
      this.#count--
      const left = this.#taken.get(network)! - 1
      if (left === 0) this.#taken.delete(network)
      else this.#taken.set(network, left)
    }
  }
}
