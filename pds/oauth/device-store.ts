/**
 * Browsers that opened the sign-in or account pages, for the OAuth library. One gets a row when an
 * account signs in on it; its session id is sealed in the database.
 */
import type { DeviceData, DeviceId, DeviceStore } from '@atproto/oauth-provider/store'
import { sealSession, unsealSession } from '../repo/keys/key-secret.ts'
import type { Device } from '../store/devices.ts'
import type { Store } from '../store/store.ts'
import { PassingBrowsers } from './passing-browsers.ts'

/** What is kept of a browser's description of itself, which its requests are cut to as well. */
export const USER_AGENT_CHARACTERS_MAX = 256

export class ProviderDevices implements DeviceStore {
  readonly #store: Store
  readonly #keySecret: Buffer
  readonly #passing = new PassingBrowsers()

  constructor(store: Store, keySecret: Buffer) {
    this.#store = store
    this.#keySecret = keySecret
  }

  createDevice(id: DeviceId, data: DeviceData): void {
    this.#passing.add(id, cut(data))
  }

  readDevice(id: DeviceId): DeviceData | null {
    const passing = this.#passing.get(id)
    if (passing !== undefined) return passing
    const row = this.#store.devices.get(id)
    return row === undefined ? null : this.dataOf(row)
  }

  async updateDevice(id: DeviceId, data: Partial<DeviceData>): Promise<void> {
    const changes = cut(data)
    if (this.#passing.update(id, changes)) return
    await this.#store.db.write((tx) => this.#store.devices.update(tx, id, this.#rowOf(changes)))
  }

  async deleteDevice(id: DeviceId): Promise<void> {
    this.#passing.delete(id)
    await this.#store.db.write((tx) => this.#store.devices.delete(tx, id))
  }

  /**
   * Signs an account in on a browser, which has a row from then on.
   * @returns false when the browser is not known any more
   */
  async signIn(id: DeviceId, account: number): Promise<boolean> {
    return this.#store.db.write((tx) => {
      const { devices } = this.#store
      const passing = this.#passing.get(id)
      if (passing !== undefined) {
        devices.insert(tx, { ...(this.#rowOf(passing) as Device), id })
        // From here on changes go to the row.
        this.#passing.delete(id)
      }
      if (devices.get(id) === undefined) return false
      devices.putAccount(tx, id, account)
      return true
    })
  }

  /** A browser's row as the library knows it. */
  dataOf(row: Omit<Device, 'id'>): DeviceData {
    return {
      sessionId: unsealSession(this.#keySecret, row.sessionId) as DeviceData['sessionId'],
      userAgent: row.userAgent,
      ipAddress: row.ipAddress,
      lastSeenAt: new Date(row.lastSeenAt),
    }
  }

  #rowOf({ sessionId, lastSeenAt, ...data }: Partial<DeviceData>): Partial<Omit<Device, 'id'>> {
    return {
      ...data,
      ...(sessionId !== undefined && { sessionId: sealSession(this.#keySecret, sessionId) }),
      ...(lastSeenAt !== undefined && { lastSeenAt: lastSeenAt.toISOString() }),
    }
  }
}

const cut = <T extends Partial<DeviceData>>(data: T): T =>
  data.userAgent == null ? data : { ...data, userAgent: data.userAgent.slice(0, USER_AGENT_CHARACTERS_MAX) }
