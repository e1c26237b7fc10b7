/**
 * Opens the index. In a SQLite file a thread writes, and each connection here reads without waiting
 * for it. In PostgreSQL several processes share the index, and the one that holds the lease writes
 * it.
 */
import type { Kysely } from 'kysely'
import { migrate } from './migrations.ts'
import { Pending } from './pending.ts'
import { Lease } from './postgres/lease.ts'
import { openPostgres, postgresStore } from './postgres/store.ts'
import { IndexFacts } from './read/queries.ts'
import { IndexReader } from './read/reader.ts'
import { Retention, type RetentionOptions } from './retention.ts'
import type { StoreKind } from './rows.ts'
import type { Schema } from './schema.ts'
import { openSqliteReader, temporaryFile } from './sqlite/store.ts'
import { startWritingThread, type Writing } from './sqlite/writer-thread.ts'
import { Recorder } from './write/index-writer.ts'
import { Interactions } from './write/interactions.ts'
import { IndexWriter } from './writer.ts'

export interface Index extends Omit<Writing, 'recorder'>, AsyncDisposable {
  /** Where another thread opens its facts. */
  location: string
  writer: IndexWriter
  reader: IndexReader
  facts: IndexFacts
  /**
   * Begins work whenever this process is the one that writes, and ends it when it is not any more.
   */
  whileWriting(begin: () => AsyncDisposable): AsyncDisposable
}

export interface IndexOptions extends RetentionOptions {
  /** How long the lease of a process that died is waited for. */
  leaseMs?: number
}

const optionsDefault: IndexOptions = { postHours: 7 * 24 }

/**
 * Opens the index and brings its tables up to date.
 * @param location a file, made if it is missing, `:memory:`, or the URL of a PostgreSQL database
 */
export function openIndex(location: string, options: IndexOptions = optionsDefault): Promise<Index> {
  return kindOf(location) === 'postgres' ? openOnPostgres(location, options) : openOnSqlite(location, options)
}

/** Opens only what is needed to rank, for a thread of its own. */
export function openFacts(location: string): { facts: IndexFacts } & AsyncDisposable {
  const kind = kindOf(location)
  const db = openReader(location, kind)
  return { facts: new IndexFacts(db, kind), [Symbol.asyncDispose]: () => db.destroy() }
}

async function openOnSqlite(location: string, options: IndexOptions): Promise<Index> {
  await using stack = new AsyncDisposableStack()
  const file = location === ':memory:' ? stack.use(temporaryFile()).path : location
  const { recorder, pending, interactions, retention } = stack.use(
    await startWritingThread({ file, retention: options }),
  )
  const db = openSqliteReader(file)
  stack.defer(() => db.destroy())
  const opened = stack.move()
  return {
    location: file,
    writer: new IndexWriter(recorder),
    reader: new IndexReader(db),
    facts: new IndexFacts(db, 'sqlite'),
    pending,
    interactions,
    retention,
    whileWriting: (begin) => begin(),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

async function openOnPostgres(url: string, options: IndexOptions): Promise<Index> {
  const db = openPostgres(url)
  await migrate(db, 'postgres')
  const lease = new Lease(db, options.leaseMs)
  const leased = postgresStore(db, lease)
  const recorder = new Recorder(leased)
  // What viewers tell a process it writes itself.
  const shared = postgresStore(db)
  return {
    location: url,
    writer: new IndexWriter(recorder),
    reader: new IndexReader(db),
    facts: new IndexFacts(db, 'postgres'),
    pending: new Pending(shared),
    interactions: new Interactions(shared),
    retention: new Retention(leased, options),
    whileWriting: (begin) =>
      lease.whileHeld(() => {
        void recorder.reset()
        return begin()
      }),
    [Symbol.asyncDispose]: () => db.destroy(),
  }
}

function kindOf(location: string): StoreKind {
  return /^postgres(ql)?:\/\//.test(location) ? 'postgres' : 'sqlite'
}

function openReader(location: string, kind: StoreKind): Kysely<Schema> {
  return kind === 'postgres' ? openPostgres(location) : openSqliteReader(location)
}
