/**
 * Opens the index: on SQLite one connection that writes and one that reads, so that a page never waits for a batch of events. What is
 * written is `writer.ts`'s business and what is read `reader.ts`'s.
 */
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import Sqlite from 'better-sqlite3'
import { Kysely, SqliteDialect } from 'kysely'
import { Migrator } from 'kysely/migration'
import { migrations } from './migrations.ts'
import { IndexReader } from './reader.ts'
import type { Schema } from './schema.ts'
import { IndexWriter } from './writer.ts'

export interface Index extends AsyncDisposable {
  writer: IndexWriter
  reader: IndexReader
}

const busyMillisMax = 5000
const cacheKib = 64 * 1024

/** Opens the index in a file, made if it is missing, or in `:memory:`, and brings its tables up to date. */
export async function openIndex(location: string): Promise<Index> {
  const inMemory = location === ':memory:'
  if (!inMemory) mkdirSync(path.dirname(location), { recursive: true })
  const write = connect(location)
  await migrate(write, location)
  const read = inMemory ? write : connect(location, { readonly: true })
  return {
    writer: new IndexWriter(write),
    reader: new IndexReader(read),
    async [Symbol.asyncDispose]() {
      if (read !== write) await read.destroy()
      await write.destroy()
    },
  }
}

function connect(location: string, { readonly = false } = {}): Kysely<Schema> {
  const database = new Sqlite(location, { readonly, timeout: busyMillisMax })
  database.pragma(`cache_size = -${cacheKib}`)
  if (!readonly) {
    database.pragma('journal_mode = WAL')
    // A power cut may take the last transactions, whole: the cursor goes with its events, and they are read again.
    database.pragma('synchronous = NORMAL')
  }
  return new Kysely<Schema>({ dialect: new SqliteDialect({ database }) })
}

async function migrate(db: Kysely<Schema>, location: string): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } })
  const { error } = await migrator.migrateToLatest()
  if (error) throw new Error(`the index in ${location} cannot be brought up to date`, { cause: error })
}
