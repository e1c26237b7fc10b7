/**
 * Browsers that opened a sign-in or account page and are not bound to an account: kept in memory
 * for an hour, in bounded number. Strangers leave no rows behind.
 */

import type { DeviceData, DeviceId } from '@atproto/oauth-provider/store'
import { networkOf } from '#platform/network-of.ts'
import { MINUTE_MS } from '#platform/time.ts'

const BROWSERS_MAX = 20_000
/** A network's newest evicts its oldest, so that no network evicts those of others. */
const BROWSERS_OF_NETWORK_MAX = 500
const BROWSER_MINUTES = 60

interface Passing {
  readonly data: DeviceData
  readonly network: string
  readonly cameAtMs: number
}

export class PassingBrowsers {
  /** In the order that they came. */
  readonly #browsers = new Map<DeviceId, Passing>()
  readonly #networks = new Map<string, Set<DeviceId>>()

  add(id: DeviceId, data: DeviceData): void {
    const network = networkOf(data.ipAddress)
    const neighbours = this.#networks.get(network) ?? new Set()
    const oldest = <T>(ids: Iterable<T>): T => ids[Symbol.iterator]().next().value as T
    if (neighbours.size >= BROWSERS_OF_NETWORK_MAX) this.delete(oldest(neighbours))
    else if (this.#browsers.size >= BROWSERS_MAX) this.delete(oldest(this.#browsers.keys()))
    this.#networks.set(network, neighbours.add(id))
    this.#browsers.set(id, { data, network, cameAtMs: Date.now() })
    this.#forget()
  }

  get(id: DeviceId): DeviceData | undefined {
    this.#forget()
    return this.#browsers.get(id)?.data
  }

  /** Changes what is given of a browser. @returns false when it is not here */
  update(id: DeviceId, changes: Partial<DeviceData>): boolean {
    const found = this.#browsers.get(id)
    if (found !== undefined) this.#browsers.set(id, { ...found, data: { ...found.data, ...changes } })
    return found !== undefined
  }

  delete(id: DeviceId): void {
    const found = this.#browsers.get(id)
    if (found === undefined) return
    this.#browsers.delete(id)
    const neighbours = this.#networks.get(found.network)
    neighbours?.delete(id)
    if (neighbours?.size === 0) this.#networks.delete(found.network)
  }

  #forget(): void {
    const before = Date.now() - BROWSER_MINUTES * MINUTE_MS
    for (const [id, { cameAtMs }] of this.#browsers) {
      if (cameAtMs > before) return
      this.delete(id)
    }
  }
}
