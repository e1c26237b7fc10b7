/**
 * What is left of deleted accounts: which there are, and the deleting of their rows a few at a
 * time.
 */
import type { Args, Sqlite, Tx } from '#platform/sqlite.ts'
import type { Schema } from './schema.ts'

export type Deletion = Schema['deletion']

/**
 * The tables with rows of an account, and the column that identifies it. Blobs are not among them,
 * because their bytes are stored elsewhere; nor is the repository, which is orphaned from the start
 * of the deletion.
 */
const TABLES = [
  { table: 'event', key: 'seq' },
  { table: 'refresh_token', key: 'id' },
  { table: 'email_token', key: 'purpose' },
  { table: 'app_password', key: 'name' },
  { table: 'authenticator', key: 'createdAt' },
  { table: 'passkey', key: 'id' },
  { table: 'backup_code', key: 'codeHash' },
  { table: 'wrong_code', key: 'since' },
  { table: 'preference', key: 'id' },
  { table: 'oauth_token', key: 'id' },
  { table: 'oauth_request', key: 'id' },
  { table: 'device_account', key: 'device' },
  { table: 'authorized_client', key: 'clientId' },
] as const

export class DeletionStore {
  readonly #begin
  readonly #first
  readonly #end
  readonly #tables

  constructor(db: Sqlite<Schema>) {
    this.#begin = db.prepare((q, arg: Args<Deletion>) =>
      q.insertInto('deletion').values({ account: arg.account, did: arg.did, beganAt: arg.beganAt }),
    )
    this.#first = db.prepare((q) => q.selectFrom('deletion').selectAll().orderBy('account').limit(1))
    this.#end = db.prepare((q, arg: Args<{ account: number }>) =>
      q.deleteFrom('deletion').where('account', '=', arg.account),
    )
    this.#tables = TABLES.map(({ table: name, key: column }) => {
      // To the types, every table is like the first one.
      const [table, key] = [name as 'event', column as 'seq']
      return db.prepare((q, arg: Args<{ account: number; limit: number }>) => {
        const some = q.selectFrom(table).select(key).where('account', '=', arg.account).limit(arg.limit)
        return q.deleteFrom(table).where('account', '=', arg.account).where(key, 'in', some)
      })
    })
  }

  /** The first deletion that is under way. */
  first(): Deletion | undefined {
    return this.#first.get({})
  }

  /** Begins a deletion; the account's own row is left to the caller. */
  begin(tx: Tx, account: number, did: string): void {
    this.#begin.run({ account, did, beganAt: tx.now })
  }

  /**
   * Deletes some of an account's rows: at most about `limit` of one table. @returns whether there
   * were any
   */
  deleteSome(_tx: Tx, account: number, limit: number): boolean {
    return this.#tables.some((table) => table.run({ account, limit }) > 0)
  }

  /** Ends a deletion: nothing of the account is left. */
  end(_tx: Tx, account: number): void {
    this.#end.run({ account })
  }
}
