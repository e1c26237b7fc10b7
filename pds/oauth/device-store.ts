/** Browsers that opened the sign-in or account pages, for the OAuth library. */
import type { DeviceData, DeviceId, DeviceStore } from '@atproto/oauth-provider/store'
import type { Store } from '../store/store.ts'

export class ProviderDevices implements DeviceStore {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  async createDevice(id: DeviceId, data: DeviceData): Promise<void> {
    const row = { ...data, id, lastSeenAt: data.lastSeenAt.toISOString() }
    await this.#store.db.write((tx) => this.#store.devices.insert(tx, row))
  }

  readDevice(id: DeviceId): DeviceData | null {
    const row = this.#store.devices.get(id)
    if (row === undefined) return null
    return {
      sessionId: row.sessionId as DeviceData['sessionId'],
      userAgent: row.userAgent,
      ipAddress: row.ipAddress,
      lastSeenAt: new Date(row.lastSeenAt),
    }
  }

  async updateDevice(id: DeviceId, { lastSeenAt, ...data }: Partial<DeviceData>): Promise<void> {
    const changes = { ...data, ...(lastSeenAt !== undefined && { lastSeenAt: lastSeenAt.toISOString() }) }
    await this.#store.db.write((tx) => this.#store.devices.update(tx, id, changes))
  }

  async deleteDevice(id: DeviceId): Promise<void> {
    await this.#store.db.write((tx) => this.#store.devices.delete(tx, id))
  }
}
