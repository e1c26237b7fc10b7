/** Opens the PDS's SQLite file and the stores over it: a file per table family, all SQL of the PDS in this folder. */
import { Sqlite, type SqliteOptions } from '#platform/sqlite.ts'
import { AccountStore } from './accounts.ts'
import { BlobStore } from './blobs.ts'
import { EventStore } from './events.ts'
import { migrations } from './migrations.ts'
import { RecordStore } from './records.ts'
import { RepoStore } from './repos.ts'
import type { Schema } from './schema.ts'
import { SessionStore } from './sessions.ts'

export type Db = Sqlite<Schema>

/** The stores, and the one way into a transaction: `db.write`. */
export class Store implements Disposable {
  readonly db: Db
  readonly accounts: AccountStore
  readonly repos: RepoStore
  readonly records: RecordStore
  readonly blobs: BlobStore
  readonly events: EventStore
  readonly sessions: SessionStore

  constructor(options: Omit<SqliteOptions, 'migrations'>) {
    this.db = new Sqlite<Schema>({ ...options, migrations })
    this.accounts = new AccountStore(this.db)
    this.repos = new RepoStore(this.db)
    this.records = new RecordStore(this.db)
    this.blobs = new BlobStore(this.db)
    this.events = new EventStore(this.db)
    this.sessions = new SessionStore(this.db)
  }

  /** Whether the database answers. */
  isReadable(): boolean {
    try {
      this.events.lastSeq()
      return true
    } catch {
      return false
    }
  }

  [Symbol.dispose](): void {
    this.db[Symbol.dispose]()
  }
}
