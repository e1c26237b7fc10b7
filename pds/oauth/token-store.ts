/**
 * OAuth sessions, for the OAuth library. Those of an account that was taken down or deleted are not
 * found.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
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
import { Turns } from '#platform/keyed-mutex.ts'
import { digestOf, sealUnder, unsealUnder } from '#platform/sealing.ts'
import type { OAuthToken } from '../store/oauth-tokens.ts'
import type { Store } from '../store/store.ts'
import type { Descriptions } from './descriptions.ts'

/** How long a used refresh token returns the same successor, in case a response is lost. */
export const GRACE_SECONDS = 30

export class ProviderTokens implements TokenStore {
  readonly #store: Store
  readonly #descriptions: Descriptions
  readonly #turns = new Turns<string>()
  /** The refresh token that is being exchanged: the library's `rotateToken` does not say. */
  readonly #exchanging = new AsyncLocalStorage<string>()

  constructor(store: Store, descriptions: Descriptions) {
    this.#store = store
    this.#descriptions = descriptions
  }

  /** Runs an exchange of a refresh token, after earlier exchanges of the same token. */
  exchange<T>(refreshToken: string, work: () => Promise<T>): Promise<T> {
    return this.#turns.run(digestOf(refreshToken), () => this.#exchanging.run(refreshToken, work))
  }

  /** The session of a recently exchanged refresh token, with its successor. */
  successorOf(refreshToken: string): { token: TokenInfo; refreshToken: RefreshToken } | undefined {
    const since = new Date(Date.now() - GRACE_SECONDS * 1000).toISOString()
    const row = this.#store.oauthTokens.successor(digestOf(refreshToken), since)
    if (row === undefined) return undefined
    const next = unsealUnder(refreshToken, row.successor) as RefreshToken
    const token = this.#info(row)
    // A successor that was exchanged itself is over.
    if (token === null || row.refreshToken !== digestOf(next)) return undefined
    return { token, refreshToken: next }
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
        code: data.code === null ? null : digestOf(data.code),
        refreshToken: refreshToken === undefined ? null : digestOf(refreshToken),
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

  /** @throws InvalidGrantError when the refresh token was used meanwhile, or the session ended */
  async rotateToken(
    tokenId: TokenId,
    newTokenId: TokenId,
    newRefreshToken: RefreshToken,
    data: NewTokenData,
  ): Promise<void> {
    const next = {
      tokenId: newTokenId,
      refreshToken: digestOf(newRefreshToken),
      expiresAt: data.expiresAt.toISOString(),
      updatedAt: data.updatedAt.toISOString(),
      clientAuth: JSON.stringify(data.clientAuth),
      scope: data.scope,
    }
    const used = this.#exchanging.getStore()
    const successor = used === undefined ? null : sealUnder(used, newRefreshToken)
    const done = await this.#store.db.write((tx) =>
      this.#store.oauthTokens.rotate(tx, tokenId, next, successor),
    )
    if (!done) throw new InvalidGrantError('Invalid refresh token')
  }

  findTokenByRefreshToken(refreshToken: RefreshToken): TokenInfo | null {
    const digest = digestOf(refreshToken)
    const row = this.#store.oauthTokens.byRefreshToken(digest)
    const token = this.#info(row)
    if (token === null || row?.refreshToken !== digest) return token
    return { ...token, currentRefreshToken: refreshToken }
  }

  findTokenByCode(code: Code): TokenInfo | null {
    return this.#info(this.#store.oauthTokens.byCode(digestOf(code)))
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
      // Its digest, which no token that was sent is the same as.
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
