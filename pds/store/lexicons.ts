/**
 * Lexicon documents of others that were resolved, and tries that failed, so that they are not tried
 * at every turn.
 */
import type { Args, Sqlite, Tx } from '#platform/sqlite.ts'
import type { Schema } from './schema.ts'

export type StoredLexicon = Schema['lexicon']

export class LexiconStore {
  readonly #get
  readonly #put
  readonly #delete
  readonly #deleteNeverFound

  constructor(db: Sqlite<Schema>) {
    this.#get = db.prepare((q, arg: Args<{ nsid: string }>) =>
      q.selectFrom('lexicon').selectAll().where('nsid', '=', arg.nsid),
    )
    this.#put = db.prepare((q, arg: Args<StoredLexicon>) => {
      const row = {
        createdAt: arg.createdAt,
        updatedAt: arg.updatedAt,
        lastSucceededAt: arg.lastSucceededAt,
        uri: arg.uri,
        lexicon: arg.lexicon,
      }
      return q
        .insertInto('lexicon')
        .values({ nsid: arg.nsid, ...row })
        .onConflict((conflict) => conflict.column('nsid').doUpdateSet(row))
    })
    this.#delete = db.prepare((q, arg: Args<{ nsid: string }>) =>
      q.deleteFrom('lexicon').where('nsid', '=', arg.nsid),
    )
    this.#deleteNeverFound = db.prepare((q, arg: Args<{ before: string; limit: number }>) => {
      const some = q
        .selectFrom('lexicon')
        .select('nsid')
        .where('lexicon', 'is', null)
        .where('updatedAt', '<', arg.before)
        .limit(arg.limit)
      return q.deleteFrom('lexicon').where('nsid', 'in', some)
    })
  }

  get(nsid: string): StoredLexicon | undefined {
    return this.#get.get({ nsid })
  }

  put(_tx: Tx, lexicon: StoredLexicon): void {
    this.#put.run(lexicon)
  }

  delete(_tx: Tx, nsid: string): void {
    this.#delete.run({ nsid })
  }

  /** Forgets some that were tried before a time and never found. @returns how many */
  deleteNeverFound(_tx: Tx, before: string, limit: number): number {
    return this.#deleteNeverFound.run({ before, limit })
  }
}
