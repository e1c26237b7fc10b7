/**
 * One SQLite file: opened, migrated, read and written.
 *
 * Kysely writes the SQL and its types; better-sqlite3 runs it, synchronously, on statements that are compiled once.
 * Writes that arrive together share one COMMIT (`write`), each in a savepoint of its own. What the rows mean is left to
 * the stores.
 */
import Sqlite3 from 'better-sqlite3'
import {
  type Compilable,
  DummyDriver,
  Kysely,
  type RawBuilder,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  sql,
} from 'kysely'

/** A step of the schema: the SQL that makes version n + 1 out of version n. Published steps never change. */
export type Migration = string

/** Statements with named values: `arg.did` stands where the value of `did` will be bound. */
export type Args<A> = { readonly [K in keyof A]: RawBuilder<A[K]> }

/** A compiled statement. Rows come back as Kysely typed them. */
export interface Statement<A, R> {
  /** Every row. */
  all(args: A): R[]
  /** Row by row. Nothing else can use the connection meanwhile: use it up, or leave the loop, in the same tick. */
  iterate(args: A): IterableIterator<R>
  /** The first row, if there is one. */
  get(args: A): R | undefined
  /** Runs a statement that returns no rows; how many rows it changed. */
  run(args: A): number
  /** The value of an INTEGER PRIMARY KEY that this INSERT made. */
  insert(args: A): number
}

/** Proof of being inside a write transaction, and its time. */
export interface Tx {
  /** When this write began: ISO 8601, UTC, milliseconds. */
  readonly now: string
  /** Runs `effect` once the transaction is durable; not at all when this write fails. */
  afterCommit(effect: () => void): void
}

/** A function that may not be async: nothing can be awaited inside a transaction. */
export type SyncResult<T> = T extends PromiseLike<unknown> ? never : T

/** The file was written by a newer version of this software. */
export class SchemaTooNewError extends Error {
  override name = 'SchemaTooNewError'
  constructor(path: string, found: number, known: number) {
    super(
      `${path} has schema version ${found}; this version of the software knows ${known}. Run a newer one.`,
    )
  }
}

/** SQLite ended the whole transaction (full disk, I/O error): this write and those beside it did not happen. */
export class TransactionLostError extends Error {
  override name = 'TransactionLostError'
}

export interface SqliteOptions {
  readonly path: string
  readonly migrations: readonly Migration[]
  /** Called when it is no longer known what the disk holds (a failed fsync). Must end the process. */
  readonly onFatal: (error: unknown) => never
}

/** How long writes that arrived together may share one transaction before it is committed. */
const GROUP_MS_MAX = 20
const CACHE_KIB = 64 * 1024
/** Pages (4 KiB) that the write-ahead log grows to before they are copied into the file. */
const CHECKPOINT_PAGES = 8_000

class Placeholder {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

interface Waiting {
  readonly run: (tx: Tx) => unknown
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/** A connection to a database of the given schema. */
export class Sqlite<Schema> {
  readonly #path: string
  readonly #connection: Sqlite3.Database
  readonly #onFatal: (error: unknown) => never
  readonly #builder = new Kysely<Schema>({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  })
  readonly #savepoint: Sqlite3.Statement
  readonly #release: Sqlite3.Statement
  readonly #rollbackToSavepoint: Sqlite3.Statement
  #waiting: Waiting[] = []
  #flushScheduled = false
  #closed = false

  constructor({ path, migrations, onFatal }: SqliteOptions) {
    this.#path = path
    this.#onFatal = onFatal
    this.#connection = new Sqlite3(path)
    const pragma = (text: string) => this.#connection.pragma(text)
    pragma('journal_mode = WAL')
    pragma('synchronous = FULL')
    pragma('foreign_keys = ON')
    pragma('busy_timeout = 5000')
    pragma(`cache_size = -${CACHE_KIB}`)
    pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
    this.#migrate(migrations)
    this.#savepoint = this.#connection.prepare('SAVEPOINT one')
    this.#release = this.#connection.prepare('RELEASE one')
    this.#rollbackToSavepoint = this.#connection.prepare('ROLLBACK TO one')
  }

  /** Compiles a query. `build` gets Kysely and the named values: `(q, arg: Args<{ did: string }>) => q.selectFrom(...)`. */
  prepare<A, R>(build: (query: Kysely<Schema>, arg: Args<A>) => Compilable<R>): Statement<A, R> {
    const placeholders = new Proxy({}, { get: (_, name) => sql.val(new Placeholder(String(name))) })
    const compiled = build(this.#builder, placeholders as Args<A>).compile()
    const statement = this.#connection.prepare<unknown[], R>(compiled.sql)
    const slots = compiled.parameters
    const bind = (args: A): unknown[] =>
      slots.map((slot) => (slot instanceof Placeholder ? args[slot.name as keyof A] : slot))
    return {
      all: (args) => statement.all(...bind(args)),
      get: (args) => statement.get(...bind(args)),
      iterate: (args) => statement.iterate(...bind(args)),
      run: (args) => statement.run(...bind(args)).changes,
      insert: (args) => Number(statement.run(...bind(args)).lastInsertRowid),
    }
  }

  /**
   * Runs `work` in a transaction; resolves with its result once it is durable. Writes that arrive together share one
   * COMMIT; one that throws is rolled back alone.
   * @throws what `work` throws; TransactionLostError when SQLite gave up the whole group
   */
  write<T>(work: (tx: Tx) => SyncResult<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new Error('the database is closed'))
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ run: work, resolve: resolve as (value: unknown) => void, reject })
      if (this.#flushScheduled) return
      this.#flushScheduled = true
      setImmediate(() => this.#flush())
    })
  }

  /** Runs the writes that wait, then closes the file. */
  [Symbol.dispose](): void {
    while (this.#waiting.length > 0) this.#flush()
    this.#closed = true
    this.#connection.close()
  }

  #flush(): void {
    const db = this.#connection
    const done: { task: Waiting; result?: unknown; error?: unknown; failed: boolean }[] = []
    const effects: (() => void)[] = []
    try {
      db.exec('BEGIN IMMEDIATE')
      const deadline = performance.now() + GROUP_MS_MAX
      while (this.#waiting.length > 0 && performance.now() < deadline) {
        const task = this.#waiting.shift() as Waiting
        const entry: (typeof done)[number] = { task, failed: false }
        done.push(entry)
        const effectsOfTask: (() => void)[] = []
        const tx: Tx = { now: new Date().toISOString(), afterCommit: (effect) => effectsOfTask.push(effect) }
        this.#savepoint.run()
        try {
          entry.result = task.run(tx)
          this.#release.run()
          effects.push(...effectsOfTask)
        } catch (error) {
          entry.failed = true
          entry.error = error
          if (!db.inTransaction)
            throw new TransactionLostError('the transaction ended early', { cause: error })
          this.#rollbackToSavepoint.run()
          this.#release.run()
        }
      }
      db.exec('COMMIT')
    } catch (error) {
      if (isFailedSync(error)) this.#onFatal(error)
      if (db.inTransaction) db.exec('ROLLBACK')
      const lost =
        error instanceof TransactionLostError
          ? error
          : new TransactionLostError('the transaction failed', { cause: error })
      // With no transaction to run in (a locked file), nobody was tried: whoever waits is told, rather than tried for ever.
      if (done.length === 0) for (const task of this.#waiting.splice(0)) task.reject(lost)
      for (const { task, failed, error: own } of done) task.reject(failed ? own : lost)
      this.#scheduleRest()
      return
    }
    for (const effect of effects) effect()
    for (const { task, failed, result, error } of done) failed ? task.reject(error) : task.resolve(result)
    this.#scheduleRest()
  }

  #scheduleRest(): void {
    this.#flushScheduled = this.#waiting.length > 0
    if (this.#flushScheduled) setImmediate(() => this.#flush())
  }

  #migrate(migrations: readonly Migration[]): void {
    const db = this.#connection
    const found = db.pragma('user_version', { simple: true }) as number
    if (found > migrations.length) throw new SchemaTooNewError(this.#path, found, migrations.length)
    for (let version = found; version < migrations.length; version++) {
      db.transaction(() => {
        db.exec(migrations[version] as string)
        db.pragma(`user_version = ${version + 1}`)
      })()
    }
  }
}

function isFailedSync(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code
  const cause = (error as { cause?: unknown } | null)?.cause
  return (
    code === 'SQLITE_IOERR_FSYNC' ||
    code === 'SQLITE_IOERR_DIR_FSYNC' ||
    (cause !== undefined && isFailedSync(cause))
  )
}
