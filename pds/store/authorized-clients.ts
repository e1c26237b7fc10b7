/** What accounts let apps do, so that they are not asked again. */
import type { Args, Sqlite, Tx } from '#platform/sqlite.ts'
import type { Schema } from './schema.ts'

export class AuthorizedClientStore {
  readonly #ofAccount
  readonly #put
  readonly #deleteOfAccount

  constructor(db: Sqlite<Schema>) {
    this.#ofAccount = db.prepare((q, arg: Args<{ account: number }>) =>
      q.selectFrom('authorized_client').select(['clientId', 'data']).where('account', '=', arg.account),
    )
    this.#put = db.prepare((q, arg: Args<{ account: number; clientId: string; data: string; now: string }>) =>
      q
        .insertInto('authorized_client')
        .values({
          account: arg.account,
          clientId: arg.clientId,
          createdAt: arg.now,
          updatedAt: arg.now,
          data: arg.data,
        })
        .onConflict((conflict) =>
          conflict.columns(['account', 'clientId']).doUpdateSet({ updatedAt: arg.now, data: arg.data }),
        ),
    )
    this.#deleteOfAccount = db.prepare((q, arg: Args<{ account: number }>) =>
      q.deleteFrom('authorized_client').where('account', '=', arg.account),
    )
  }

  ofAccount(account: number): { readonly clientId: string; readonly data: string }[] {
    return this.#ofAccount.all({ account })
  }

  /** @param data JSON */
  put(tx: Tx, account: number, clientId: string, data: string): void {
    this.#put.run({ account, clientId, data, now: tx.now })
  }

  deleteOfAccount(_tx: Tx, account: number): void {
    this.#deleteOfAccount.run({ account })
  }
}
