/** Reads what records say of feeds: definitions, and the feed records that name this service. */
import { type Kysely, sql } from 'kysely'
import type { Schema } from '../schema.ts'
import type { DefinitionReader, StoredDefinition } from '../stored-definitions.ts'
import { GENERATOR, parseUri } from '../uris.ts'

export class IndexReader implements DefinitionReader {
  readonly #db: Kysely<Schema>

  constructor(db: Kysely<Schema>) {
    this.#db = db
  }

  async definitions(after: number): Promise<StoredDefinition[]> {
    return this.#db
      .selectFrom('definitions')
      .innerJoin('accounts', 'accounts.id', 'definitions.author')
      .select([
        'definitions.id',
        'did as author',
        'rkey',
        'record',
        'version',
        'filled_version as filledVersion',
        'allowed_version as allowedVersion',
        'served_version as servedVersion',
        'served_record as servedRecord',
      ])
      .where('version', '>', after)
      .orderBy('version')
      .execute()
  }

  /** The feed records that name this service: their URIs. */
  async generators(): Promise<{ uri: string; rkey: string }[]> {
    return this.#generators().orderBy('did').orderBy('rkey').execute()
  }

  /** Whether the feed record is known and names this service. */
  async hasGenerator(uri: string): Promise<boolean> {
    const { did, rkey } = parseUri(uri) ?? { did: '', rkey: '' }
    const query = this.#generators().where('did', '=', did).where('rkey', '=', rkey)
    return (await query.executeTakeFirst()) !== undefined
  }

  #generators() {
    return this.#db
      .selectFrom('generators')
      .innerJoin('accounts', 'accounts.id', 'generators.author')
      .select([uriOf('generators', GENERATOR).as('uri'), 'rkey'])
  }
}

/** The URI of a record of a table, whose author is joined. */
function uriOf(table: string, collection: string, accounts = 'accounts') {
  return sql<string>`'at://' || ${sql.ref(`${accounts}.did`)} || ${sql.lit(`/${collection}/`)} || ${sql.ref(`${table}.rkey`)}`
}
