/** Preferences: what people set in their apps, kept here and handed back as it was given. */
import type { Args, Sqlite, Tx } from '#platform/sqlite.ts'
import type { Schema } from './schema.ts'

export type PreferenceRow = Pick<Schema['preference'], 'name' | 'json'> & { readonly id: number }

export class PreferenceStore {
  readonly #list
  readonly #insert
  readonly #delete

  constructor(db: Sqlite<Schema>) {
    this.#list = db.prepare((q, arg: Args<{ account: number }>) =>
      q
        .selectFrom('preference')
        .select(['id', 'name', 'json'])
        .where('account', '=', arg.account)
        .orderBy('id'),
    )
    this.#insert = db.prepare((q, arg: Args<{ account: number; name: string; json: string }>) =>
      q.insertInto('preference').values({ account: arg.account, name: arg.name, json: arg.json }),
    )
    this.#delete = db.prepare((q, arg: Args<{ id: number }>) =>
      q.deleteFrom('preference').where('id', '=', arg.id),
    )
  }

  /** In the order that they were set. */
  list(account: number): PreferenceRow[] {
    return this.#list.all({ account })
  }

  insert(_tx: Tx, account: number, name: string, json: string): void {
    this.#insert.run({ account, name, json })
  }

  delete(_tx: Tx, id: number): void {
    this.#delete.run({ id })
  }
}
