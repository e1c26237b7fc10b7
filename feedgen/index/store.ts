/** The database behind the index, as those who write use it. */
import type { Kysely } from 'kysely'
import type { Rows } from './rows.ts'
import type { Schema } from './schema.ts'

/** A transaction: what is done through it is done whole or not at all. */
export interface Tx {
  /** For what is done to many rows at a time. */
  rows: Rows
  /** For everything else. */
  db: Kysely<Schema>
  /** The time of the transaction. */
  now: number
}

export interface Store {
  db: Kysely<Schema>
  /**
   * Runs `work` in a transaction, one at a time; resolves with its result once that is committed.
   */
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>
}
