/** Sessions of apps that were let in, for the OAuth library. Those of an account that was taken down or is gone are not found. */
import { InvalidGrantError } from '@atproto/oauth-provider/errors'
import type {
  Code,
  CreateTokenData,
  Did,
  NewTokenData,
  RefreshToken,
  TokenData,
  TokenId,
  TokenInfo,
  TokenStore,
} from '@atproto/oauth-provider/store'
import type { OAuthToken } from '../store/oauth-tokens.ts'
import type { Store } from '../store/store.ts'
import type { Descriptions } from './descriptions.ts'

export class ProviderTokens implements TokenStore {
  readonly #store: Store
  readonly #descriptions: Descriptions

  constructor(store: Store, descriptions: Descriptions) {
    this.#store = store
    this.#descriptions = descriptions
  }

  /** @throws InvalidGrantError when the account is gone */
  async createToken(tokenId: TokenId, data: CreateTokenData, refreshToken?: RefreshToken): Promise<void> {
    await this.#store.db.write((tx) => {
      const account = this.#store.accounts.byDid(data.did)
      if (account === undefined || account.takedownRef !== null) {
        throw new InvalidGrantError('Account not found')
      }
      this.#store.oauthTokens.insert(tx, {
        account: account.id,
        tokenId,
        createdAt: data.createdAt.toISOString(),
        updatedAt: data.updatedAt.toISOString(),
        expiresAt: data.expiresAt.toISOString(),
        clientId: data.clientId,
        clientAuth: JSON.stringify(data.clientAuth),
        device: data.deviceId,
        parameters: JSON.stringify(data.parameters),
        code: data.code,
        refreshToken: refreshToken ?? null,
        scope: data.scope,
      })
    })
  }

  readToken(tokenId: TokenId): TokenInfo | null {
    return this.#info(this.#store.oauthTokens.byTokenId(tokenId))
  }

  async deleteToken(tokenId: TokenId): Promise<void> {
    await this.#store.db.write((tx) => this.#store.oauthTokens.delete(tx, tokenId))
  }

  /** @throws InvalidGrantError when the same refresh token was exchanged meanwhile, or the session ended */
  async rotateToken(
    tokenId: TokenId,
    newTokenId: TokenId,
    newRefreshToken: RefreshToken,
    data: NewTokenData,
  ): Promise<void> {
    const done = await this.#store.db.write((tx) =>
      this.#store.oauthTokens.rotate(tx, tokenId, {
        tokenId: newTokenId,
        refreshToken: newRefreshToken,
        expiresAt: data.expiresAt.toISOString(),
        updatedAt: data.updatedAt.toISOString(),
        clientAuth: JSON.stringify(data.clientAuth),
        scope: data.scope,
      }),
    )
    if (!done) throw new InvalidGrantError('Invalid refresh token')
  }

  findTokenByRefreshToken(refreshToken: RefreshToken): TokenInfo | null {
    return this.#info(this.#store.oauthTokens.byRefreshToken(refreshToken))
  }

  findTokenByCode(code: Code): TokenInfo | null {
    return this.#info(this.#store.oauthTokens.byCode(code))
  }

  listAccountTokens(did: Did): TokenInfo[] {
    const account = this.#store.accounts.byDid(did)
    if (account === undefined) return []
    return this.#store.oauthTokens.ofAccount(account.id).flatMap((row) => this.#info(row) ?? [])
  }

  #info(row: OAuthToken | undefined): TokenInfo | null {
    const account = row && this.#store.accounts.byId(row.account)
    if (row === undefined || account === undefined || account.takedownRef !== null) return null
    return {
      id: row.tokenId as TokenId,
      account: this.#descriptions.of(account),
      currentRefreshToken: row.refreshToken as RefreshToken | null,
      data: {
        createdAt: new Date(row.createdAt),
        updatedAt: new Date(row.updatedAt),
        expiresAt: new Date(row.expiresAt),
        clientId: row.clientId,
        clientAuth: JSON.parse(row.clientAuth) as TokenData['clientAuth'],
        deviceId: row.device as TokenData['deviceId'],
        did: account.did as Did,
        parameters: JSON.parse(row.parameters) as TokenData['parameters'],
        code: row.code as Code | null,
        scope: row.scope,
      },
    }
  }
}
