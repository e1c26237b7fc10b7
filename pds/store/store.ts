/** Opens the PDS's SQLite file and the stores over it: a file per table family, all SQL of the PDS in this folder. */
import { Sqlite, type SqliteOptions } from '#platform/sqlite.ts'
import { AccountStore } from './accounts.ts'
import { AppPasswordStore } from './app-passwords.ts'
import { BlobStore } from './blobs.ts'
import { DeletionStore } from './deletions.ts'
import { EmailTokenStore } from './email-tokens.ts'
import { EventStore } from './events.ts'
import { ImportStore } from './imports.ts'
import { InviteStore } from './invites.ts'
import { KeySecretStore, ReservedKeyStore } from './key-secrets.ts'
import { migrations } from './migrations.ts'
import { PreferenceStore } from './preferences.ts'
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
  readonly imports: ImportStore
  readonly sessions: SessionStore
  readonly preferences: PreferenceStore
  readonly emailTokens: EmailTokenStore
  readonly deletions: DeletionStore
  readonly reservedKeys: ReservedKeyStore
  readonly keySecrets: KeySecretStore
  readonly appPasswords: AppPasswordStore
  readonly invites: InviteStore

  constructor(options: Omit<SqliteOptions, 'migrations'>) {
    this.db = new Sqlite<Schema>({ ...options, migrations })
    this.accounts = new AccountStore(this.db)
    this.repos = new RepoStore(this.db)
    this.records = new RecordStore(this.db)
    this.blobs = new BlobStore(this.db)
    this.events = new EventStore(this.db)
    this.imports = new ImportStore(this.db)
    this.sessions = new SessionStore(this.db)
    this.preferences = new PreferenceStore(this.db)
    this.emailTokens = new EmailTokenStore(this.db)
    this.deletions = new DeletionStore(this.db)
    this.reservedKeys = new ReservedKeyStore(this.db)
    this.keySecrets = new KeySecretStore(this.db)
    this.appPasswords = new AppPasswordStore(this.db)
    this.invites = new InviteStore(this.db)
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
