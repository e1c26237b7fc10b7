/**
 * The PLC directory's operations in one SQLite file, behind the interface of `@did-plc/server`,
 * which checks no more than an operation's shape. What makes a log of operations true is checked
 * here: each has to follow the last one, be signed by a key that the last one named, and may
 * replace younger ones within the recovery window (`assureValidNextOp` of `@did-plc/lib`).
 * https://web.plc.directory/spec/v0.1/did-plc
 */
import { assureValidNextOp, type ExportedOp, getLastOpWithCid, type IndexedOperation } from '@did-plc/lib'
import type { PlcDatabase } from '@did-plc/server'
import Database from 'better-sqlite3'
import { CID } from 'multiformats/cid'

/** An operation or a tombstone, as they are posted today. */
type NewOperation = Parameters<PlcDatabase['validateAndAddOp']>[1]
/** The same, or the creation of an early account. */
type Operation = IndexedOperation['operation']

/**
 * `createdAt` is in milliseconds and rises strictly with `seq`, so that a page of `/export` may end
 * anywhere.
 */
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS operation (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    did TEXT NOT NULL,
    cid TEXT NOT NULL,
    operation TEXT NOT NULL,
    nullified INTEGER NOT NULL DEFAULT 0,
    createdAt INTEGER NOT NULL UNIQUE,
    UNIQUE (did, cid)
  ) STRICT;
`

interface Row {
  did: string
  cid: string
  operation: string
  nullified: 0 | 1
  createdAt: number
}

/**
 * A request that the directory refuses. `@did-plc/server` answers with `status` and the message.
 */
export class RefusedError extends Error {
  override name = 'RefusedError'
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export class SqlitePlcDatabase implements PlcDatabase {
  readonly #db: Database.Database
  readonly #clock: () => number
  /** The last validation of each DID that has one running; the next one waits for it. */
  readonly #busy = new Map<string, Promise<void>>()

  /**
   * Opens or makes the file.
   * @param clock the time in milliseconds, for tests of what depends on age
   */
  constructor(file: string, clock: () => number = Date.now) {
    this.#db = new Database(file)
    this.#clock = clock
    this.#db.pragma('journal_mode = WAL')
    this.#db.pragma('synchronous = FULL')
    this.#db.exec(SCHEMA)
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#busy.values())
    this.#db.close()
  }

  async healthCheck(): Promise<void> {
    this.#db.prepare('SELECT 1').get()
  }

  /**
   * Adds an operation to a DID's log, and marks those that it recovers from as nullified.
   * Validation is asynchronous, so it and the insert that trusts it run one after the other for
   * each DID.
   * @throws RefusedError, or an error of `@did-plc/lib`, for an operation that may not be next
   */
  validateAndAddOp(did: string, proposed: NewOperation): Promise<void> {
    const before = this.#busy.get(did) ?? Promise.resolve()
    const mine = before.catch(() => {}).then(() => this.#validateAndAdd(did, proposed))
    this.#busy.set(did, mine)
    const release = () => {
      if (this.#busy.get(did) === mine) this.#busy.delete(did)
    }
    mine.then(release, release)
    return mine
  }

  async #validateAndAdd(did: string, proposed: NewOperation): Promise<void> {
    if (proposed.prev !== null && !isCid(proposed.prev)) {
      throw new RefusedError(400, `Not a CID: ${proposed.prev}`)
    }
    const log = await this.indexedOpsForDid(did)
    const { nullified } = await assureValidNextOp(did, log, proposed)
    const { cid } = await getLastOpWithCid([proposed])
    this.#insert(did, cid.toString(), proposed, nullified.map(String))
  }

  #insert(did: string, cid: string, operation: NewOperation, nullified: string[]): void {
    this.#db.transaction(() => {
      const latest = this.#db.prepare('SELECT max(createdAt) FROM operation').pluck().get() as number | null
      const createdAt = Math.max(this.#clock(), (latest ?? 0) + 1)
      const nullify = this.#db.prepare('UPDATE operation SET nullified = 1 WHERE did = ? AND cid = ?')
      for (const old of nullified) nullify.run(did, old)
      this.#db
        .prepare('INSERT INTO operation (did, cid, operation, createdAt) VALUES (?, ?, ?, ?)')
        .run(did, cid, JSON.stringify(operation), createdAt)
    })()
  }

  async opsForDid(did: string): Promise<Operation[]> {
    return (await this.indexedOpsForDid(did)).map(({ operation }) => operation)
  }

  /** A DID's log, oldest first. */
  async indexedOpsForDid(did: string, includeNullified = false): Promise<IndexedOperation[]> {
    const rows = this.#db
      .prepare<[string, 0 | 1], Row>(
        'SELECT * FROM operation WHERE did = ? AND nullified IN (0, ?) ORDER BY seq',
      )
      .all(did, includeNullified ? 1 : 0)
    return rows.map((row) => ({
      did: row.did,
      operation: JSON.parse(row.operation) as Operation,
      cid: CID.parse(row.cid) as unknown as IndexedOperation['cid'],
      nullified: row.nullified === 1,
      createdAt: new Date(row.createdAt),
    }))
  }

  async lastOpForDid(did: string): Promise<Operation | null> {
    return (await this.opsForDid(did)).at(-1) ?? null
  }

  /**
   * Operations of all DIDs, nullified ones too, in the order in which they came.
   * @throws RefusedError when `after` is no time
   */
  async exportOps(count: number, after: Date = new Date(0)): Promise<ExportedOp[]> {
    if (Number.isNaN(after.getTime())) throw new RefusedError(400, 'Invalid after parameter')
    const rows = this.#db
      .prepare<[number, number], Row>('SELECT * FROM operation WHERE createdAt > ? ORDER BY seq LIMIT ?')
      .all(after.getTime(), count)
    return rows.map((row) => ({
      did: row.did,
      operation: JSON.parse(row.operation) as Operation,
      cid: row.cid,
      nullified: row.nullified === 1,
      createdAt: new Date(row.createdAt).toISOString(),
    }))
  }
}

function isCid(text: string): boolean {
  try {
    CID.parse(text)
    return true
  } catch {
    return false
  }
}
