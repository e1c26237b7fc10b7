/** The index in a SQLite file. */
import { hash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import Sqlite from 'better-sqlite3'
import { Kysely, SqliteDialect } from 'kysely'
import { closeDatabaseFiles, makeFolder } from '#platform/private-files.ts'
import { SqliteRows } from '../rows.ts'
import type { Schema } from '../schema.ts'
import type { Store } from '../store.ts'

const busyMillisMax = 5000
const cacheKib = 64 * 1024

/** A connection that writes. Of several, one at a time can. */
export function openSqliteStore(file: string): Store & AsyncDisposable {
  makeFolder(path.dirname(file))
  const connection = connect(file, { readonly: false })
  closeDatabaseFiles(file)
  connection.pragma('journal_mode = WAL')
  // A power cut may take the last transactions, whole: the cursor goes with its events, and they
  // are read again.
  connection.pragma('synchronous = NORMAL')
  const db = kyselyOver(connection)
  const rows = new SqliteRows(connection)
  return {
    db,
    // Kysely hands its one connection to one transaction at a time, so `rows` may use it meanwhile.
    transaction: (work) => db.transaction().execute((tx) => work({ rows, db: tx, now: Date.now() })),
    [Symbol.asyncDispose]: () => db.destroy(),
  }
}

/** A connection that reads, and waits for nobody who writes. */
export function openSqliteReader(file: string): Kysely<Schema> {
  return kyselyOver(connect(file, { readonly: true }))
}

/**
 * A file in a folder that goes with it: what stands for `:memory:`, which no two connections could
 * share.
 */
export function temporaryFile(): Disposable & { path: string } {
  const folder = mkdtempSync(path.join(tmpdir(), 'feedgen-index-'))
  return {
    path: path.join(folder, 'index.sqlite'),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}

function connect(file: string, { readonly }: { readonly: boolean }): Sqlite.Database {
  const connection = new Sqlite(file, { readonly, timeout: busyMillisMax })
  connection.pragma(`cache_size = -${cacheKib}`)
  // PostgreSQL has it; here it has to be brought along.
  connection.function('sha256', { deterministic: true }, (bytes) => hash('sha256', bytes as Buffer, 'buffer'))
  return connection
}

function kyselyOver(database: Sqlite.Database): Kysely<Schema> {
  return new Kysely<Schema>({ dialect: new SqliteDialect({ database }) })
}
