/**
 * Authorization requests of OAuth clients, until their code is exchanged for tokens. Their meaning
 * is defined in `oauth/`.
 */
import type { Args, Sqlite, Tx } from '#platform/sqlite.ts'
import type { Schema } from './schema.ts'

export type OAuthRequest = Schema['oauth_request']

/** What of a request changes while it is answered. */
export type OAuthRequestAnswer = Pick<
  OAuthRequest,
  'account' | 'device' | 'code' | 'expiresAt' | 'parameters'
>

export class OAuthRequestStore {
  readonly #get
  readonly #byCode
  readonly #insert
  readonly #update
  readonly #delete
  readonly #deleteExpired
  readonly #deleteOfAccount

  constructor(db: Sqlite<Schema>) {
    this.#get = db.prepare((q, arg: Args<{ id: string }>) =>
      q.selectFrom('oauth_request').selectAll().where('id', '=', arg.id),
    )
    this.#byCode = db.prepare((q, arg: Args<{ code: string }>) =>
      q.selectFrom('oauth_request').selectAll().where('code', '=', arg.code).where('code', 'is not', null),
    )
    this.#insert = db.prepare((q, arg: Args<OAuthRequest>) =>
      q.insertInto('oauth_request').values({
        id: arg.id,
        account: arg.account,
        device: arg.device,
        clientId: arg.clientId,
        clientAuth: arg.clientAuth,
        parameters: arg.parameters,
        expiresAt: arg.expiresAt,
        code: arg.code,
      }),
    )
    this.#update = db.prepare((q, arg: Args<OAuthRequestAnswer & { id: string }>) =>
      q
        .updateTable('oauth_request')
        .set({
          account: arg.account,
          device: arg.device,
          code: arg.code,
          expiresAt: arg.expiresAt,
          parameters: arg.parameters,
        })
        .where('id', '=', arg.id),
    )
    this.#delete = db.prepare((q, arg: Args<{ id: string }>) =>
      q.deleteFrom('oauth_request').where('id', '=', arg.id),
    )
    this.#deleteExpired = db.prepare((q, arg: Args<{ before: string; limit: number }>) => {
      const some = q
        .selectFrom('oauth_request')
        .select('id')
        .where('expiresAt', '<', arg.before)
        .orderBy('expiresAt')
        .limit(arg.limit)
      return q.deleteFrom('oauth_request').where('id', 'in', some)
    })
    this.#deleteOfAccount = db.prepare((q, arg: Args<{ account: number }>) =>
      q.deleteFrom('oauth_request').where('account', '=', arg.account),
    )
  }

  get(id: string): OAuthRequest | undefined {
    return this.#get.get({ id })
  }

  insert(_tx: Tx, request: OAuthRequest): void {
    this.#insert.run(request)
  }

  /** Changes what is given of a request; nothing when it is gone. */
  update(_tx: Tx, id: string, changes: Partial<OAuthRequestAnswer>): void {
    const request = this.get(id)
    if (request !== undefined) this.#update.run({ ...request, ...changes })
  }

  delete(_tx: Tx, id: string): void {
    this.#delete.run({ id })
  }

  /** The request that was given a code. It is gone after this: a code is good once. */
  take(tx: Tx, code: string): OAuthRequest | undefined {
    const request = this.#byCode.get({ code })
    if (request !== undefined) this.delete(tx, request.id)
    return request
  }

  /** Makes codes worthless that an account's apps have not exchanged yet. */
  deleteOfAccount(_tx: Tx, account: number): void {
    this.#deleteOfAccount.run({ account })
  }

  /** Deletes some that ended before a time. @returns how many */
  deleteExpired(_tx: Tx, before: string, limit: number): number {
    return this.#deleteExpired.run({ before, limit })
  }
}
