/** Refresh tokens: what a session is kept alive with. */
import type { Args, Sqlite, Tx } from '#platform/sqlite.ts'
import type { Schema } from './schema.ts'

export type RefreshToken = Schema['refresh_token']

export class SessionStore {
  readonly #get
  readonly #insert
  readonly #rotate
  readonly #delete
  readonly #deleteExpired
  readonly #deleteOfAccount
  readonly #deleteOfAppPassword

  constructor(db: Sqlite<Schema>) {
    this.#get = db.prepare((q, arg: Args<{ id: string }>) =>
      q.selectFrom('refresh_token').selectAll().where('id', '=', arg.id),
    )
    this.#insert = db.prepare((q, arg: Args<RefreshToken>) =>
      q
        .insertInto('refresh_token')
        .values({
          id: arg.id,
          account: arg.account,
          expiresAt: arg.expiresAt,
          nextId: arg.nextId,
          appPasswordName: arg.appPasswordName,
        })
        .onConflict((conflict) => conflict.doNothing()),
    )
    this.#rotate = db.prepare((q, arg: Args<{ id: string; expiresAt: string; nextId: string }>) =>
      q
        .updateTable('refresh_token')
        .set({ expiresAt: arg.expiresAt, nextId: arg.nextId })
        .where('id', '=', arg.id),
    )
    this.#delete = db.prepare((q, arg: Args<{ id: string }>) =>
      q.deleteFrom('refresh_token').where('id', '=', arg.id),
    )
    this.#deleteExpired = db.prepare((q, arg: Args<{ account: number; now: string }>) =>
      q.deleteFrom('refresh_token').where('account', '=', arg.account).where('expiresAt', '<=', arg.now),
    )
    this.#deleteOfAccount = db.prepare((q, arg: Args<{ account: number }>) =>
      q.deleteFrom('refresh_token').where('account', '=', arg.account),
    )
    this.#deleteOfAppPassword = db.prepare((q, arg: Args<{ account: number; name: string }>) =>
      q
        .deleteFrom('refresh_token')
        .where('account', '=', arg.account)
        .where('appPasswordName', '=', arg.name),
    )
  }

  get(id: string): RefreshToken | undefined {
    return this.#get.get({ id })
  }

  /** Keeps a token; one that is there already stays as it is. */
  insert(_tx: Tx, token: RefreshToken): void {
    this.#insert.run(token)
  }

  /**
   * Shortens a token's life to its grace period. @param nextId its successor's id, sealed under its
   * own
   */
  rotate(_tx: Tx, id: string, expiresAt: string, nextId: string): void {
    this.#rotate.run({ id, expiresAt, nextId })
  }

  delete(_tx: Tx, id: string): void {
    this.#delete.run({ id })
  }

  deleteExpired(tx: Tx, account: number): void {
    this.#deleteExpired.run({ account, now: tx.now })
  }

  /** Ends every session of an account. */
  deleteOfAccount(_tx: Tx, account: number): void {
    this.#deleteOfAccount.run({ account })
  }

  /** Ends the sessions that were begun with an app password. */
  deleteOfAppPassword(_tx: Tx, account: number, name: string): void {
    this.#deleteOfAppPassword.run({ account, name })
  }
}
