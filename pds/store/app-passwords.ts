/** App passwords: what a single app signs in with. */
import type { Args, Sqlite, Tx } from '#platform/sqlite.ts'
import type { Schema } from './schema.ts'

type Row = Schema['app_password']

/** An app password without its hash. */
export interface AppPassword {
  readonly name: string
  readonly privileged: boolean
  readonly createdAt: string
}

const columns = ['name', 'privileged', 'createdAt'] as const

export class AppPasswordStore {
  readonly #list
  readonly #byName
  readonly #byPassword
  readonly #insert
  readonly #delete
  readonly #deleteAll

  constructor(db: Sqlite<Schema>) {
    this.#list = db.prepare((q, arg: Args<{ account: number }>) =>
      q
        .selectFrom('app_password')
        .select(columns)
        .where('account', '=', arg.account)
        .orderBy('createdAt', 'desc')
        .orderBy('name'),
    )
    this.#byName = db.prepare((q, arg: Args<{ account: number; name: string }>) =>
      q
        .selectFrom('app_password')
        .select(columns)
        .where('account', '=', arg.account)
        .where('name', '=', arg.name),
    )
    this.#byPassword = db.prepare((q, arg: Args<{ account: number; password: string }>) =>
      q
        .selectFrom('app_password')
        .select(columns)
        .where('account', '=', arg.account)
        .where('password', '=', arg.password),
    )
    this.#insert = db.prepare((q, arg: Args<Row>) =>
      q.insertInto('app_password').values({
        account: arg.account,
        name: arg.name,
        password: arg.password,
        privileged: arg.privileged,
        createdAt: arg.createdAt,
      }),
    )
    this.#delete = db.prepare((q, arg: Args<{ account: number; name: string }>) =>
      q.deleteFrom('app_password').where('account', '=', arg.account).where('name', '=', arg.name),
    )
    this.#deleteAll = db.prepare((q, arg: Args<{ account: number }>) =>
      q.deleteFrom('app_password').where('account', '=', arg.account),
    )
  }

  /** An account's, newest first. */
  list(account: number): AppPassword[] {
    return this.#list.all({ account }).map(fromRow)
  }

  byName(account: number, name: string): AppPassword | undefined {
    const row = this.#byName.get({ account, name })
    return row && fromRow(row)
  }

  /** @param password its hash */
  byPassword(account: number, password: string): AppPassword | undefined {
    const row = this.#byPassword.get({ account, password })
    return row && fromRow(row)
  }

  /** @param appPassword `password` is the hash */
  insert(
    tx: Tx,
    appPassword: { account: number; name: string; password: string; privileged: boolean },
  ): void {
    this.#insert.run({ ...appPassword, privileged: Number(appPassword.privileged), createdAt: tx.now })
  }

  delete(_tx: Tx, account: number, name: string): void {
    this.#delete.run({ account, name })
  }

  deleteAll(_tx: Tx, account: number): void {
    this.#deleteAll.run({ account })
  }
}

const fromRow = (row: Pick<Row, 'name' | 'privileged' | 'createdAt'>): AppPassword => ({
  ...row,
  privileged: row.privileged === 1,
})
