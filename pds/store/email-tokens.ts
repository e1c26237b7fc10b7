/**
 * Codes that were mailed. What they are for, and how long they hold, is `accounts/email-tokens.ts`.
 */
import { sql } from 'kysely'
import type { Args, Sqlite, Tx } from '#platform/sqlite.ts'
import type { Schema } from './schema.ts'

export type EmailToken = Schema['email_token']

const DIGEST_BYTES = 32

export class EmailTokenStore {
  readonly #get
  readonly #byCode
  readonly #put
  readonly #delete
  readonly #deleteAll
  readonly #unkeyed
  readonly #setHash
  readonly #deleteOfAll

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
    this.#unkeyed = db.prepare((q, arg: Args<{ limit: number }>) =>
      q
        .selectFrom('email_token')
        .selectAll()
        .where(sql<number>`length("codeHash")`, '=', sql.lit(DIGEST_BYTES))
        .limit(arg.limit),
    )
    this.#setHash = db.prepare((q, arg: Args<Omit<EmailToken, 'requestedAt'>>) =>
      q
        .updateTable('email_token')
        .set({ codeHash: arg.codeHash })
        .where('account', '=', arg.account)
        .where('purpose', '=', arg.purpose),
    )
    this.#deleteOfAll = db.prepare((q) => q.deleteFrom('email_token'))
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

  /** Some codes that are kept as a digest without a key. */
  unkeyed(limit: number): EmailToken[] {
    return this.#unkeyed.all({ limit })
  }

  setHash(_tx: Tx, { account, purpose }: EmailToken, codeHash: Buffer): void {
    this.#setHash.run({ account, purpose, codeHash })
  }

  /** Makes every code of every account worthless. */
  deleteOfAll(_tx: Tx): void {
    this.#deleteOfAll.run({})
  }
}
