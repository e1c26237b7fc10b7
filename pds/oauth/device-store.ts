/** Browsers that opened the sign-in or account pages, for the OAuth library. Their session ids are sealed in the database. */
import type { DeviceData, DeviceId, DeviceStore } from '@atproto/oauth-provider/store'
import { sealSession, unsealSession } from '../repo/key-secret.ts'
import type { Device } from '../store/devices.ts'
import type { Store } from '../store/store.ts'

export class ProviderDevices implements DeviceStore {
  readonly #store: Store
  readonly #keySecret: Buffer

  constructor(store: Store, keySecret: Buffer) {
    this.#store = store
    this.#keySecret = keySecret
  }

  async createDevice(id: DeviceId, data: DeviceData): Promise<void> {
    const row = { ...data, id, ...this.#kept(data), lastSeenAt: data.lastSeenAt.toISOString() }
    await this.#store.db.write((tx) => this.#store.devices.insert(tx, row))
  }

  readDevice(id: DeviceId): DeviceData | null {
    const row = this.#store.devices.get(id)
    return row === undefined ? null : this.dataOf(row)
  }

  async updateDevice(id: DeviceId, data: Partial<DeviceData>): Promise<void> {
    const { lastSeenAt } = data
    const changes = {
      ...data,
      ...this.#kept(data),
      ...(lastSeenAt !== undefined && { lastSeenAt: lastSeenAt.toISOString() }),
    }
    await this.#store.db.write((tx) => this.#store.devices.update(tx, id, changes as Partial<Device>))
  }

  async deleteDevice(id: DeviceId): Promise<void> {
    await this.#store.db.write((tx) => this.#store.devices.delete(tx, id))
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

  #kept({ sessionId }: Partial<DeviceData>): { sessionId?: string } {
    return sessionId === undefined ? {} : { sessionId: sealSession(this.#keySecret, sessionId) }
  }
}
