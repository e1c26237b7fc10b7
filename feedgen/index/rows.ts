/**
 * What the writer does to tables, many rows at a time. SQLite runs a statement that is compiled
 * once for each row, which nothing beats inside one process; PostgreSQL gets one statement with all
 * rows, which saves it the way there and back.
 *
 * Keys and rows are plain objects; within one call all have the same columns. Kysely is for
 * everything that is not done to thousands of rows a second.
 */
import type Sqlite from 'better-sqlite3'
import { CompiledQuery, type Kysely } from 'kysely'
import { bytesColumns, type NewRow, type Row, type Schema, type Table, textColumns } from './schema.ts'
import { storableText } from './text.ts'

export type StoreKind = 'sqlite' | 'postgres'

type Key<T extends Table> = Partial<Row<T>>

export interface Rows {
  /** The rows with these keys. Each key at most once. */
  find<T extends Table>(table: T, keys: readonly Key<T>[]): Promise<Row<T>[]>
  insert<T extends Table>(table: T, rows: readonly NewRow<T>[]): Promise<void>
  /** Inserts those of the rows whose keys are not there yet; returns these, whole. */
  insertMissing<T extends Table>(table: T, rows: readonly NewRow<T>[]): Promise<Row<T>[]>
  /** Sets the other columns where `key` columns are the same. */
  update<T extends Table>(table: T, key: readonly (keyof Row<T>)[], rows: readonly Key<T>[]): Promise<void>
  /** Adds the other columns to the row of that id; returns the sums. */
  add<T extends Table>(table: T, deltas: readonly Key<T>[]): Promise<Row<T>[]>
  /** Removes the rows with these keys, and returns them. */
  remove<T extends Table>(table: T, keys: readonly Key<T>[]): Promise<Row<T>[]>
}

type Values = Record<string, unknown>

const and = (columns: readonly string[], term: (column: string) => string) => columns.map(term).join(' and ')
const list = (columns: readonly string[], term = (column: string) => column) => columns.map(term).join(', ')

/** Rows over a connection on which a transaction is open. */
export class SqliteRows implements Rows {
  readonly #connection: Sqlite.Database
  readonly #statements = new Map<string, Sqlite.Statement<unknown[]>>()

  constructor(connection: Sqlite.Database) {
    this.#connection = connection
  }

  async find<T extends Table>(table: T, keys: readonly Key<T>[]): Promise<Row<T>[]> {
    const where = (columns: string[]) =>
      `select * from ${table} where ${and(columns, (column) => `${column} = ?`)}`
    return this.#rows(where, keys)
  }

  async insert<T extends Table>(table: T, rows: readonly NewRow<T>[]): Promise<void> {
    if (rows.length === 0) return
    const { statement, columns } = this.#compile(
      (columns) => `insert into ${table} (${list(columns)}) values (${list(columns, () => '?')})`,
      rows,
    )
    for (const row of rows) statement.run(...valuesOf(row, columns))
  }

  async insertMissing<T extends Table>(table: T, rows: readonly NewRow<T>[]): Promise<Row<T>[]> {
    const insert = (columns: string[]) =>
      `insert into ${table} (${list(columns)}) values (${list(columns, () => '?')}) on conflict do nothing returning *`
    return this.#rows(insert, rows)
  }

  async update<T extends Table>(
    table: T,
    key: readonly (keyof Row<T>)[],
    rows: readonly Key<T>[],
  ): Promise<void> {
    const keys = key as readonly string[]
    const others = columnsOf(rows).filter((column) => !keys.includes(column))
    if (rows.length === 0) return
    const { statement } = this.#compile(
      () =>
        `update ${table} set ${list(others, (column) => `${column} = ?`)} where ${and(keys, (column) => `${column} = ?`)}`,
      rows,
    )
    for (const row of rows) statement.run(...valuesOf(row, others), ...valuesOf(row, keys))
  }

  async add<T extends Table>(table: T, deltas: readonly Key<T>[]): Promise<Row<T>[]> {
    if (deltas.length === 0) return []
    const columns = columnsOf(deltas).filter((column) => column !== 'id')
    const { statement } = this.#compile(
      () =>
        `update ${table} set ${list(columns, (column) => `${column} = ${column} + ?`)} where id = ? returning *`,
      deltas,
    )
    return deltas.flatMap((row) => statement.all(...valuesOf(row, columns), (row as Values).id) as Row<T>[])
  }

  async remove<T extends Table>(table: T, keys: readonly Key<T>[]): Promise<Row<T>[]> {
    const where = (columns: string[]) =>
      `delete from ${table} where ${and(columns, (column) => `${column} = ?`)} returning *`
    return this.#rows(where, keys)
  }

  #rows<R>(write: (columns: string[]) => string, given: readonly object[]): R[] {
    if (given.length === 0) return []
    const found: R[] = []
    const { statement, columns } = this.#compile(write, given)
    for (const one of given) {
      for (const row of statement.all(...valuesOf(one, columns))) found.push(row as R)
    }
    return found
  }

  #compile(write: (columns: string[]) => string, given: readonly object[]) {
    const columns = columnsOf(given)
    const text = write(columns)
    let statement = this.#statements.get(text)
    if (!statement) {
      statement = this.#connection.prepare(text)
      this.#statements.set(text, statement)
    }
    return { statement, columns }
  }
}

/** Rows over a transaction of PostgreSQL. */
export class PostgresRows implements Rows {
  readonly #tx: Kysely<Schema>

  constructor(tx: Kysely<Schema>) {
    this.#tx = tx
  }

  async find<T extends Table>(table: T, keys: readonly Key<T>[]): Promise<Row<T>[]> {
    const columns = columnsOf(keys)
    return this.#run(
      `select t.* from ${table} t join ${given(columns)} on ${and(columns, (column) => `t.${column} = g.${column}`)}`,
      columns,
      keys,
    )
  }

  async insert<T extends Table>(table: T, rows: readonly NewRow<T>[]): Promise<void> {
    const columns = columnsOf(rows)
    await this.#run(`insert into ${table} (${list(columns)}) select * from ${given(columns)}`, columns, rows)
  }

  async insertMissing<T extends Table>(table: T, rows: readonly NewRow<T>[]): Promise<Row<T>[]> {
    const columns = columnsOf(rows)
    const text = `insert into ${table} (${list(columns)}) select * from ${given(columns)} on conflict do nothing returning *`
    return this.#run(text, columns, rows)
  }

  async update<T extends Table>(
    table: T,
    key: readonly (keyof Row<T>)[],
    rows: readonly Key<T>[],
  ): Promise<void> {
    const keys = key as readonly string[]
    const columns = columnsOf(rows)
    const others = columns.filter((column) => !keys.includes(column))
    const text = `update ${table} t set ${list(others, (column) => `${column} = g.${column}`)}
      from ${given(columns)} where ${and(keys, (column) => `t.${column} = g.${column}`)}`
    await this.#run(text, columns, rows)
  }

  async add<T extends Table>(table: T, deltas: readonly Key<T>[]): Promise<Row<T>[]> {
    const columns = columnsOf(deltas)
    const sums = list(
      columns.filter((column) => column !== 'id'),
      (column) => `${column} = t.${column} + g.${column}`,
    )
    return this.#run(
      `update ${table} t set ${sums} from ${given(columns)} where t.id = g.id returning t.*`,
      columns,
      deltas,
    )
  }

  async remove<T extends Table>(table: T, keys: readonly Key<T>[]): Promise<Row<T>[]> {
    const columns = columnsOf(keys)
    const text = `delete from ${table} t using ${given(columns)}
      where ${and(columns, (column) => `t.${column} = g.${column}`)} returning t.*`
    return this.#run(text, columns, keys)
  }

  async #run<R>(text: string, columns: string[], rows: readonly object[]): Promise<R[]> {
    if (rows.length === 0) return []
    const arrays = columns.map((column) => rows.map((row) => storedValue(row, column)))
    return (await this.#tx.executeQuery<R>(CompiledQuery.raw(text, arrays))).rows
  }
}

/** The rows that are given, as a table of PostgreSQL. */
function given(columns: string[]): string {
  return `unnest(${list(columns, (column) => `$${columns.indexOf(column) + 1}::${typeOf(column)}[]`)}) as g(${list(columns)})`
}

function typeOf(column: string): string {
  return textColumns.has(column) ? 'text' : bytesColumns.has(column) ? 'bytea' : 'bigint'
}

function columnsOf(rows: readonly object[]): string[] {
  return Object.keys(rows[0] ?? {})
}

function valuesOf(row: object, columns: readonly string[]): unknown[] {
  return columns.map((column) => storedValue(row, column))
}

function storedValue(row: object, column: string): unknown {
  const value = (row as Values)[column]
  return typeof value === 'string' ? storableText(value) : value
}
