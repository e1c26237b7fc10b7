/**
 * One SQLite file: opened, migrated, read and written.
 *
 * Kysely writes the SQL and its types; better-sqlite3 runs it, synchronously, on statements that
 * are compiled once. How writes share transactions and reach the disk is in `group-commit.ts`; what
 * the rows mean is left to the stores.
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
import { GroupCommit, type Tx } from './group-commit.ts'
import { closeDatabaseFiles } from './private-files.ts'

export { TransactionLostError, type Tx } from './group-commit.ts'

/**
 * A step of the schema: the SQL that makes version n + 1 out of version n. Published steps never
 * change.
 */
export type Migration = string

/** Statements with named values: `arg.did` stands where the value of `did` will be bound. */
export type Args<A> = { readonly [K in keyof A]: RawBuilder<A[K]> }

/** A compiled statement. Rows come back as Kysely typed them. */
export interface Statement<A, R> {
  /** Every row. */
  all(args: A): R[]
  /**
   * Row by row. Nothing else can use the connection meanwhile: use it up, or leave the loop, in the
   * same tick.
   */
  iterate(args: A): IterableIterator<R>
  /** The first row, if there is one. */
  get(args: A): R | undefined
  /** Runs a statement that returns no rows; how many rows it changed. */
  run(args: A): number
  /** The value of an INTEGER PRIMARY KEY that this INSERT made. */
  insert(args: A): number
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

export interface SqliteOptions {
  readonly path: string
  readonly migrations: readonly Migration[]
  /** What migrations call by name, beside SQL's own functions. */
  readonly functions?: Readonly<Record<string, (...values: never[]) => string>>
  /** The log grows until another program copies it into the file, after shipping it elsewhere. */
  readonly disableAutoCheckpoint?: boolean
  /**
   * Called when it is no longer known what the disk holds (a failed fsync). Must end the process.
   */
  readonly onFatal: (error: unknown) => never
}

const CACHE_KIB = 64 * 1024

class Placeholder {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

/** A connection to a database of the given schema. */
export class Sqlite<Schema> {
  readonly #path: string
  readonly #connection: Sqlite3.Database
  readonly #builder = new Kysely<Schema>({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  })
  readonly #commits: GroupCommit

  constructor({ path, migrations, functions = {}, disableAutoCheckpoint = false, onFatal }: SqliteOptions) {
    this.#path = path
    this.#connection = new Sqlite3(path)
    closeDatabaseFiles(path)
    const pragma = (text: string) => this.#connection.pragma(text)
    pragma('journal_mode = WAL')
    // The syncs and the checkpoints are the group commit's.
    pragma('synchronous = NORMAL')
    pragma('wal_autocheckpoint = 0')
    pragma('foreign_keys = ON')
    // Another process has no business here but to look; while it holds a lock, this thread stands
    // still.
    pragma('busy_timeout = 1000')
    pragma(`cache_size = -${CACHE_KIB}`)
    for (const [name, call] of Object.entries(functions))
      this.#connection.function(name, call as (...values: unknown[]) => string)
    this.#migrate(migrations)
    this.#commits = new GroupCommit(this.#connection, onFatal, { checkpoints: !disableAutoCheckpoint })
  }

  /**
   * Compiles a query. `build` gets Kysely and the named values:
   * `(q, arg: Args<{ did: string }>) => q.selectFrom(...)`.
   */
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
   * Runs `work` in a transaction; resolves with its result once it is durable. Writes that arrive
   * together share one COMMIT; one that throws is rolled back alone.
   * @throws what `work` throws; TransactionLostError when SQLite gave up the whole group
   */
  write<T>(work: (tx: Tx) => SyncResult<T>): Promise<T> {
    return this.#commits.write(work) as Promise<T>
  }

  /**
   * Resolves when everything that can be read now is durable; undefined when it is already. An
   * answer made of what was read waits for it.
   */
  durable(): Promise<void> | undefined {
    return this.#commits.durable()
  }

  /** Finishes the writes that wait, then closes the file. */
  [Symbol.dispose](): void {
    this.#commits[Symbol.dispose]()
    this.#connection.close()
  }

  #migrate(migrations: readonly Migration[]): void {
    const db = this.#connection
    const found = db.pragma('user_version', { simple: true }) as number
    if (found > migrations.length) throw new SchemaTooNewError(this.#path, found, migrations.length)
    if (found === migrations.length) return
    // What a step takes out of rows is to be gone from the file too.
    db.pragma('secure_delete = ON')
    for (let version = found; version < migrations.length; version++) {
      db.transaction(() => {
        db.exec(migrations[version] as string)
        db.pragma(`user_version = ${version + 1}`)
      })()
    }
    db.pragma('secure_delete = OFF')
  }
}
