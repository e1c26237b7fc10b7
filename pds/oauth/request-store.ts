/** Authorization requests of OAuth clients, for the OAuth library. */
import type {
  Code,
  Did,
  FoundRequestResult,
  RequestData,
  RequestId,
  RequestStore,
  UpdateRequestData,
} from '@atproto/oauth-provider/store'
import { digestOf } from '#platform/sealing.ts'
import type { OAuthRequest, OAuthRequestAnswer } from '../store/oauth-requests.ts'
import type { Store } from '../store/store.ts'

export class ProviderRequests implements RequestStore {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  async createRequest(id: RequestId, data: RequestData): Promise<void> {
    const row: OAuthRequest = {
      id,
      account: this.#accountOf(data.did),
      device: data.deviceId,
      clientId: data.clientId,
      clientAuth: JSON.stringify(data.clientAuth),
      parameters: JSON.stringify(data.parameters),
      expiresAt: data.expiresAt.toISOString(),
      code: data.code === null ? null : digestOf(data.code),
    }
    await this.#store.db.write((tx) => this.#store.oauthRequests.insert(tx, row))
  }

  readRequest(id: RequestId): RequestData | null {
    const row = this.#store.oauthRequests.get(id)
    return row === undefined ? null : this.#data(row)
  }

  async updateRequest(id: RequestId, data: UpdateRequestData): Promise<void> {
    const { code, did, deviceId, expiresAt, parameters } = data
    const changes: Partial<OAuthRequestAnswer> = {
      ...(code !== undefined && { code: code === null ? null : digestOf(code) }),
      ...(did !== undefined && { account: this.#accountOf(did) }),
      ...(deviceId !== undefined && { device: deviceId }),
      ...(expiresAt !== undefined && { expiresAt: expiresAt.toISOString() }),
      ...(parameters !== undefined && { parameters: JSON.stringify(parameters) }),
    }
    await this.#store.db.write((tx) => this.#store.oauthRequests.update(tx, id, changes))
  }

  async deleteRequest(id: RequestId): Promise<void> {
    await this.#store.db.write((tx) => this.#store.oauthRequests.delete(tx, id))
  }

  async consumeRequestCode(code: Code): Promise<FoundRequestResult | null> {
    const row = await this.#store.db.write((tx) => this.#store.oauthRequests.take(tx, digestOf(code)))
    if (row === undefined) return null
    return { requestId: row.id as RequestId, data: { ...this.#data(row), code } }
  }

  #accountOf(did: string | null): number | null {
    return did === null ? null : (this.#store.accounts.byDid(did)?.id ?? null)
  }

  #data(row: OAuthRequest): RequestData {
    const account = row.account === null ? undefined : this.#store.accounts.byId(row.account)
    return {
      clientId: row.clientId,
      clientAuth: JSON.parse(row.clientAuth) as RequestData['clientAuth'],
      parameters: JSON.parse(row.parameters) as RequestData['parameters'],
      expiresAt: new Date(row.expiresAt),
      deviceId: row.device as RequestData['deviceId'],
      did: (account?.did ?? null) as Did | null,
      code: row.code as Code | null,
    }
  }
}
