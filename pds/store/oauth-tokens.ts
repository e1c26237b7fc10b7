/** OAuth sessions: their tokens, and used refresh tokens. Their meaning is defined in `oauth/`. */
import type { Args, Sqlite, Tx } from '#platform/sqlite.ts'
import type { Schema } from './schema.ts'

export type OAuthToken = Omit<Schema['oauth_token'], 'id'>

/** What a session gets in exchange for its refresh token. */
export type OAuthRotation = Pick<
  OAuthToken,
  'tokenId' | 'refreshToken' | 'expiresAt' | 'updatedAt' | 'clientAuth' | 'scope'
>

export class OAuthTokenStore {
  readonly #byTokenId
  readonly #byRefreshToken
  readonly #byUsedRefreshToken
  readonly #byCode
  readonly #ofAccount
  readonly #insert
  readonly #rotate
  readonly #useUp
  readonly #successor
  readonly #delete
  readonly #deleteOfAccount
  readonly #deleteUnused

  constructor(db: Sqlite<Schema>) {
    this.#byTokenId = db.prepare((q, arg: Args<{ tokenId: string }>) =>
      q.selectFrom('oauth_token').selectAll().where('tokenId', '=', arg.tokenId),
    )
    this.#byRefreshToken = db.prepare((q, arg: Args<{ refreshToken: string }>) =>
      q.selectFrom('oauth_token').selectAll().where('refreshToken', '=', arg.refreshToken),
    )
    this.#byUsedRefreshToken = db.prepare((q, arg: Args<{ refreshToken: string }>) =>
      q
        .selectFrom('used_refresh_token')
        .innerJoin('oauth_token', 'oauth_token.id', 'used_refresh_token.token')
        .selectAll('oauth_token')
        .where('used_refresh_token.refreshToken', '=', arg.refreshToken),
    )
    this.#byCode = db.prepare((q, arg: Args<{ code: string }>) =>
      q.selectFrom('oauth_token').selectAll().where('code', '=', arg.code).where('code', 'is not', null),
    )
    this.#ofAccount = db.prepare((q, arg: Args<{ account: number }>) =>
      q.selectFrom('oauth_token').selectAll().where('account', '=', arg.account).orderBy('id'),
    )
    this.#insert = db.prepare((q, arg: Args<OAuthToken>) =>
      q.insertInto('oauth_token').values({
        account: arg.account,
        tokenId: arg.tokenId,
        createdAt: arg.createdAt,
        updatedAt: arg.updatedAt,
        expiresAt: arg.expiresAt,
        clientId: arg.clientId,
        clientAuth: arg.clientAuth,
        device: arg.device,
        parameters: arg.parameters,
        code: arg.code,
        refreshToken: arg.refreshToken,
        scope: arg.scope,
      }),
    )
    this.#rotate = db.prepare((q, arg: Args<OAuthRotation & { id: number }>) =>
      q
        .updateTable('oauth_token')
        .set({
          tokenId: arg.tokenId,
          refreshToken: arg.refreshToken,
          expiresAt: arg.expiresAt,
          updatedAt: arg.updatedAt,
          clientAuth: arg.clientAuth,
          scope: arg.scope,
        })
        .where('id', '=', arg.id),
    )
    this.#useUp = db.prepare((q, arg: Args<Schema['used_refresh_token']>) =>
      q.insertInto('used_refresh_token').values({
        refreshToken: arg.refreshToken,
        token: arg.token,
        usedAt: arg.usedAt,
        successor: arg.successor,
      }),
    )
    this.#successor = db.prepare((q, arg: Args<{ refreshToken: string; since: string }>) =>
      q
        .selectFrom('used_refresh_token')
        .innerJoin('oauth_token', 'oauth_token.id', 'used_refresh_token.token')
        .selectAll('oauth_token')
        .select('used_refresh_token.successor')
        .where('used_refresh_token.refreshToken', '=', arg.refreshToken)
        .where('used_refresh_token.usedAt', '>=', arg.since)
        .where('used_refresh_token.successor', 'is not', null),
    )
    this.#delete = db.prepare((q, arg: Args<{ tokenId: string }>) =>
      q.deleteFrom('oauth_token').where('tokenId', '=', arg.tokenId),
    )
    this.#deleteOfAccount = db.prepare((q, arg: Args<{ account: number; except: string }>) =>
      q.deleteFrom('oauth_token').where('account', '=', arg.account).where('tokenId', '!=', arg.except),
    )
    this.#deleteUnused = db.prepare((q, arg: Args<{ before: string; limit: number }>) => {
      const some = q
        .selectFrom('oauth_token')
        .select('id')
        .where('updatedAt', '<', arg.before)
        .orderBy('updatedAt')
        .limit(arg.limit)
      return q.deleteFrom('oauth_token').where('id', 'in', some)
    })
  }

  byTokenId(tokenId: string): OAuthToken | undefined {
    return this.#byTokenId.get({ tokenId })
  }

  /** The session that a refresh token is, or once was, of. */
  byRefreshToken(refreshToken: string): OAuthToken | undefined {
    return this.#byUsedRefreshToken.get({ refreshToken }) ?? this.#byRefreshToken.get({ refreshToken })
  }

  byCode(code: string): OAuthToken | undefined {
    return this.#byCode.get({ code })
  }

  /** An account's sessions, oldest first. */
  ofAccount(account: number): OAuthToken[] {
    return this.#ofAccount.all({ account })
  }

  insert(_tx: Tx, token: OAuthToken): void {
    this.#insert.run(token)
  }

  /**
   * The session that a refresh token was exchanged in since a time, and what it was exchanged for,
   * sealed.
   */
  successor(refreshToken: string, since: string): (OAuthToken & { successor: string }) | undefined {
    const found = this.#successor.get({ refreshToken, since })
    return found?.successor == null ? undefined : { ...found, successor: found.successor }
  }

  /**
   * Exchanges a session's tokens; the old refresh token is kept as a used one.
   * @param successor the new tokens, sealed under the old refresh token
   * @returns false when the session is gone, was exchanged meanwhile, or cannot be exchanged
   */
  rotate(tx: Tx, tokenId: string, next: OAuthRotation, successor: string | null): boolean {
    const current = this.#byTokenId.get({ tokenId })
    if (current === undefined || current.refreshToken === null) return false
    this.#useUp.run({ refreshToken: current.refreshToken, token: current.id, usedAt: tx.now, successor })
    this.#rotate.run({ ...next, id: current.id })
    return true
  }

  delete(_tx: Tx, tokenId: string): void {
    this.#delete.run({ tokenId })
  }

  /**
   * Ends every session that an account let an app have.
   * @param except the `tokenId` of one that goes on
   */
  deleteOfAccount(_tx: Tx, account: number, except = ''): void {
    this.#deleteOfAccount.run({ account, except })
  }

  /** Deletes some that were last exchanged before a time. @returns how many */
  deleteUnused(_tx: Tx, before: string, limit: number): number {
    return this.#deleteUnused.run({ before, limit })
  }
}
