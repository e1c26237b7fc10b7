/**
 * Sign-ins on the account page for a single visit, without being remembered: kept in memory, in
 * bounded number, for as long as the page itself stays signed in.
 */

import type { DeviceId } from '@atproto/oauth-provider/store'
import { MINUTE_MS } from '#platform/time.ts'
import type { Store } from '../store/store.ts'

/** How long the token lives that the library's page keeps for such a visit. */
const VISIT_MINUTES = 15
const VISITS_MAX = 10_000

interface Visit {
  readonly deviceId: DeviceId
  readonly did: string
  readonly beganAtMs: number
  /** Of the account's sessions: when all of them end, the visit does. */
  readonly generation: number
}

export class Visits {
  readonly #accounts: Pick<Store['accounts'], 'byDid'>
  /** In the order that they began. */
  readonly #visits = new Map<string, Visit>()

  constructor(accounts: Pick<Store['accounts'], 'byDid'>) {
    this.#accounts = accounts
  }

  begin(deviceId: DeviceId, did: string): void {
    this.end(deviceId, did)
    this.#forget()
    const oldest = this.#visits.keys().next()
    if (this.#visits.size >= VISITS_MAX && !oldest.done) this.#visits.delete(oldest.value)
    const generation = this.generationOf(did)
    if (generation === undefined) return
    this.#visits.set(keyOf(deviceId, did), { deviceId, did, generation, beganAtMs: Date.now() })
  }

  end(deviceId: DeviceId, did: string): void {
    this.#visits.delete(keyOf(deviceId, did))
  }

  /** The DIDs that are signed in on a browser for this visit. */
  of(deviceId: DeviceId): string[] {
    this.#forget()
    return [...this.#visits.values()]
      .filter((visit) => visit.deviceId === deviceId && this.isCurrent(visit))
      .map(({ did }) => did)
  }

  /** The generation of an account's sessions; undefined when there is no such account. */
  generationOf(did: string): number | undefined {
    return this.#accounts.byDid(did)?.sessionGeneration
  }

  /** Whether what began with this generation of an account's sessions goes on. */
  isCurrent({ did, generation }: { did: string; generation: unknown }): boolean {
    const account = this.#accounts.byDid(did)
    return account !== undefined && account.sessionGeneration === generation && account.takedownRef === null
  }

  #forget(): void {
    const before = Date.now() - VISIT_MINUTES * MINUTE_MS
    for (const [key, { beganAtMs }] of this.#visits) {
      if (beganAtMs > before) return
      this.#visits.delete(key)
    }
  }
}

const keyOf = (deviceId: DeviceId, did: string): string => `${deviceId} ${did}`
