/**
 * Writes that arrive together share one transaction and one sync, and nobody is told of a write
 * before it is on the disk.
 *
 * The transaction runs on the calling thread and is quick; the sync is slow and runs on another
 * (`fdatasync` of the write-ahead log), while the next group is already written. So SQLite itself
 * is told not to sync at COMMIT (`synchronous = NORMAL`: in WAL mode a crash then loses the end of
 * the log and tears nothing), and a write is answered only when a sync that began after its COMMIT
 * has ended: what `synchronous = FULL` promises, without the thread standing still.
 */
import { closeSync, fdatasync, fdatasyncSync, fsyncSync, openSync } from 'node:fs'
import path from 'node:path'
import type Sqlite3 from 'better-sqlite3'
import { crashPoint } from './crash-points.ts'
import { type Logger, logger } from './log.ts'

/** Proof of being inside a write transaction, and its time. */
export interface Tx {
  /** When this write began: ISO 8601, UTC, milliseconds. */
  readonly now: string
  /** Runs `effect` once the transaction is durable; not at all when this write fails. */
  afterCommit(effect: () => void): void
}

/**
 * SQLite ended the whole transaction (full disk, I/O error): this write and those beside it did not
 * happen.
 */
export class TransactionLostError extends Error {
  override name = 'TransactionLostError'
}

/** A write that waits for its turn. */
interface Waiting {
  readonly run: (tx: Tx) => unknown
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/** What to do once what was written is durable. */
type Settlement = () => void

/** How long writes may go on joining one transaction before it is committed. */
const GROUP_MS_MAX = 20
/** Pages (4 KiB) that the log grows to before they are copied into the file. */
const LOG_PAGES_MAX = 8_000

export class GroupCommit implements Disposable {
  readonly #db: Sqlite3.Database
  readonly #log: number
  readonly #checkpoints: boolean
  readonly #onFatal: (error: unknown) => never
  readonly #statements
  #waiting: Waiting[] = []
  #flushScheduled = false
  /** What was committed since the sync that is under way began. */
  #unsynced: Settlement[] = []
  #syncing = false
  #closed = false
  /**
   * Whether the last attempt to copy the log into the file failed: said once, not at every group.
   */
  #checkpointFails = false
  readonly #logger: Logger = logger('sqlite')

  /**
   * @param db in WAL mode, without automatic checkpoints; its log must exist
   * @param onFatal called when it is no longer known what the disk holds: it must end the process
   * @param options `checkpoints`: whether the log is copied into the file when it is long, or that
   * is left to somebody else
   */
  constructor(
    db: Sqlite3.Database,
    onFatal: (error: unknown) => never,
    { checkpoints = true }: { checkpoints?: boolean } = {},
  ) {
    this.#db = db
    this.#checkpoints = checkpoints
    this.#log = openSync(`${db.name}-wal`, 'r')
    syncFolder(path.dirname(db.name))
    this.#onFatal = onFatal
    this.#statements = {
      begin: db.prepare('BEGIN IMMEDIATE'),
      savepoint: db.prepare('SAVEPOINT one'),
      release: db.prepare('RELEASE one'),
      rollbackToSavepoint: db.prepare('ROLLBACK TO one'),
      commit: db.prepare('COMMIT'),
      logged: db.prepare<[], { log: number }>('PRAGMA wal_checkpoint(NOOP)'),
      checkpoint: db.prepare('PRAGMA wal_checkpoint(PASSIVE)'),
    }
  }

  /** Runs `work` in a transaction; settles with what it returns or throws once that is durable. */
  write(work: (tx: Tx) => unknown): Promise<unknown> {
    if (this.#closed) return Promise.reject(new Error('the database is closed'))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ run: work, resolve, reject })
      this.#scheduleFlush()
    })
  }

  /** Resolves when everything that is committed now is durable; undefined when it is already. */
  durable(): Promise<void> | undefined {
    if (!this.#syncing && this.#unsynced.length === 0) return undefined
    return new Promise((resolve) => this.#unsynced.push(resolve))
  }

  /** Finishes the writes that wait. */
  [Symbol.dispose](): void {
    if (this.#closed) return
    while (this.#waiting.length > 0) this.#flush()
    this.#closed = true
    try {
      fdatasyncSync(this.#log)
    } catch (error) {
      this.#onFatal(error)
    }
    for (const settle of this.#unsynced.splice(0)) settle()
    // A sync that is under way needs the file, and closes it when it ends.
    if (!this.#syncing) closeSync(this.#log)
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled || this.#waiting.length === 0) return
    this.#flushScheduled = true
    setImmediate(() => {
      this.#flushScheduled = false
      if (!this.#closed) this.#flush()
    })
  }

  #flush(): void {
    const tried: Waiting[] = []
    const settlements: Settlement[] = []
    try {
      this.#statements.begin.run()
      const deadline = performance.now() + GROUP_MS_MAX
      for (let task = this.#waiting.shift(); task !== undefined; task = this.#waiting.shift()) {
        tried.push(task)
        settlements.push(this.#runOne(task))
        if (performance.now() > deadline) break
      }
      crashPoint('group.beforeCommit')
      this.#statements.commit.run()
      crashPoint('group.beforeSync')
    } catch (error) {
      this.#lose(tried, error)
      this.#scheduleFlush()
      return
    }
    this.#unsynced.push(...settlements)
    this.#checkpoint()
    this.#sync()
    this.#scheduleFlush()
  }

  /**
   * Runs one write in its savepoint. What it throws is for its caller alone, unless SQLite ended
   * the transaction.
   */
  #runOne({ run, resolve, reject }: Waiting): Settlement {
    const effects: (() => void)[] = []
    this.#statements.savepoint.run()
    try {
      const result = run({ now: new Date().toISOString(), afterCommit: (effect) => effects.push(effect) })
      this.#statements.release.run()
      return () => {
        for (const effect of effects) effect()
        resolve(result)
      }
    } catch (error) {
      if (!this.#db.inTransaction) throw error
      this.#statements.rollbackToSavepoint.run()
      this.#statements.release.run()
      return () => reject(error)
    }
  }

  /** The group's transaction failed. */
  #lose(tried: Waiting[], cause: unknown): void {
    if (isFailedSync(cause)) this.#onFatal(cause)
    if (this.#db.inTransaction) this.#db.exec('ROLLBACK')
    const lost = new TransactionLostError('the transaction failed; nothing of it was written', { cause })
    // When it could not even begin (a locked file), whoever waits is told rather than tried for
    // ever.
    const losers = tried.length > 0 ? tried : this.#waiting.splice(0)
    for (const { reject } of losers) reject(lost)
  }

  /**
   * Copies a long log into the file. When SQLite does that by itself, at a COMMIT, it keeps a
   * failed sync of the file to itself.
   */
  #checkpoint(): void {
    if (!this.#checkpoints) return
    try {
      if ((this.#statements.logged.get()?.log ?? 0) <= LOG_PAGES_MAX) return
      this.#statements.checkpoint.get()
      this.#checkpointFails = false
    } catch (error) {
      if (isFailedSync(error)) this.#onFatal(error)
      // A file that cannot grow: the log still has everything, and the next group tries again.
      if (this.#checkpointFails) return
      this.#checkpointFails = true
      this.#logger.error(
        {
          err: error,
          todo: 'see whether the disk has room and is healthy: nothing is lost, but the log grows until it can be copied',
        },
        'the write-ahead log cannot be copied into the database file',
      )
    }
  }

  /**
   * Starts a sync of all that is committed, unless one is under way: the next begins when that
   * ends.
   */
  #sync(): void {
    if (this.#syncing || this.#unsynced.length === 0 || this.#closed) return
    this.#syncing = true
    const settlements = this.#unsynced
    this.#unsynced = []
    fdatasync(this.#log, (error) => {
      this.#syncing = false
      if (this.#closed) closeSync(this.#log)
      if (error !== null) this.#onFatal(error)
      crashPoint('group.beforeAnswers')
      for (const settle of settlements) settle()
      this.#sync()
    })
  }
}

/** Makes sure of the log's entry in its folder, which SQLite leaves to its own first sync. */
function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

function isFailedSync(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code
  return code === 'SQLITE_IOERR_FSYNC' || code === 'SQLITE_IOERR_DIR_FSYNC'
}
