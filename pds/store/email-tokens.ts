/** Codes that were mailed. What they are for, and how long they hold, is `accounts/email-tokens.ts`. */
import type { Args, Sqlite, Tx } from '#platform/sqlite.ts'
import type { Schema } from './schema.ts'

export type EmailToken = Schema['email_token']

export class EmailTokenStore {
  readonly #get
  readonly #byCode
  readonly #put
  readonly #delete
  readonly #deleteAll

  constructor(db: Sqlite<Schema>) {
    this.#get = db.prepare((q, arg: Args<{ account: number; purpose: string }>) =>
      q
        .selectFrom('email_token')
        .selectAll()
        .where('account', '=', arg.account)
        .where('purpose', '=', arg.purpose),
    )
    this.#byCode = db.prepare((q, arg: Args<{ purpose: string; codeHash: Buffer }>) =>
      q
        .selectFrom('email_token')
        .selectAll()
        .where('purpose', '=', arg.purpose)
        .where('codeHash', '=', arg.codeHash),
    )
    this.#put = db.prepare((q, arg: Args<EmailToken>) =>
      q
        .insertInto('email_token')
        .values({
          account: arg.account,
          purpose: arg.purpose,
          codeHash: arg.codeHash,
          requestedAt: arg.requestedAt,
        })
        .onConflict((conflict) =>
          conflict
            .columns(['account', 'purpose'])
            .doUpdateSet({ codeHash: arg.codeHash, requestedAt: arg.requestedAt }),
        ),
    )
    this.#delete = db.prepare((q, arg: Args<{ account: number; purpose: string }>) =>
      q.deleteFrom('email_token').where('account', '=', arg.account).where('purpose', '=', arg.purpose),
    )
    this.#deleteAll = db.prepare((q, arg: Args<{ account: number }>) =>
      q.deleteFrom('email_token').where('account', '=', arg.account),
    )
  }

  get(account: number, purpose: string): EmailToken | undefined {
    return this.#get.get({ account, purpose })
  }

  byCode(purpose: string, codeHash: Buffer): EmailToken | undefined {
    return this.#byCode.get({ purpose, codeHash })
  }

  /** Keeps a code in place of the account's earlier one for the same purpose. */
  put(tx: Tx, token: Omit<EmailToken, 'requestedAt'>): void {
    this.#put.run({ ...token, requestedAt: tx.now })
  }

  delete(_tx: Tx, account: number, purpose: string): void {
    this.#delete.run({ account, purpose })
  }

  deleteAll(_tx: Tx, account: number): void {
    this.#deleteAll.run({ account })
  }
}
