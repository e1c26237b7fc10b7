/**
 * Opens the PDS's SQLite file and the stores over it: a file per table family, all SQL of the PDS
 * in this folder.
 */
import { type Logger, logger } from '#platform/log.ts'
import { Sqlite, type SqliteOptions, type Tx } from '#platform/sqlite.ts'
import { AccountCredentialStore } from './account-credentials.ts'
import { AccountEndStore } from './account-ends.ts'
import { AccountStore } from './accounts.ts'
import { AppPasswordStore } from './app-passwords.ts'
import { AuthorizedClientStore } from './authorized-clients.ts'
import { BlobStore } from './blobs.ts'
import { DeletionStore } from './deletions.ts'
import { DeviceStore } from './devices.ts'
import { EmailTokenStore } from './email-tokens.ts'
import { EventStore } from './events.ts'
import { ImportStore } from './imports.ts'
import { InviteStore } from './invites.ts'
import { KeySecretStore, ReservedKeyStore } from './key-secrets.ts'
import { LexiconStore } from './lexicons.ts'
import { functions, migrations } from './migrations.ts'
import { MoveStore } from './moves.ts'
import { OAuthRequestStore } from './oauth-requests.ts'
import { OAuthTokenStore } from './oauth-tokens.ts'
import { PreferenceStore } from './preferences.ts'
import { RecordStore } from './records.ts'
import { RepoListingStore } from './repo-listings.ts'
import { RepoStore } from './repos.ts'
import type { Schema } from './schema.ts'
import { SecondFactorStore } from './second-factors.ts'
import { SessionStore } from './sessions.ts'

export type Db = Sqlite<Schema>

/** The stores, and the one way into a transaction: `db.write`. */
export class Store implements Disposable {
  readonly db: Db
  readonly #log: Logger = logger('store')
  readonly accounts: AccountStore
  readonly credentials: AccountCredentialStore
  readonly accountEnds: AccountEndStore
  readonly moves: MoveStore
  readonly repos: RepoStore
  readonly repoListings: RepoListingStore
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
  readonly secondFactors: SecondFactorStore
  readonly oauthRequests: OAuthRequestStore
  readonly oauthTokens: OAuthTokenStore
  readonly authorizedClients: AuthorizedClientStore
  readonly devices: DeviceStore
  readonly lexicons: LexiconStore

  constructor(options: Omit<SqliteOptions, 'migrations'>) {
    this.db = new Sqlite<Schema>({ ...options, migrations, functions })
    this.accounts = new AccountStore(this.db)
    this.credentials = new AccountCredentialStore(this.db)
    this.accountEnds = new AccountEndStore(this.db)
    this.moves = new MoveStore(this.db)
    this.repos = new RepoStore(this.db)
    this.repoListings = new RepoListingStore(this.db)
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
    this.secondFactors = new SecondFactorStore(this.db)
    this.oauthRequests = new OAuthRequestStore(this.db)
    this.oauthTokens = new OAuthTokenStore(this.db)
    this.authorizedClients = new AuthorizedClientStore(this.db)
    this.devices = new DeviceStore(this.db)
    this.lexicons = new LexiconStore(this.db)
  }

  /**
   * Ends every session of an account at once, those of apps that it let in too. Browsers stay
   * signed in to the account pages, and app passwords stay.
   */
  endSessions(tx: Tx, account: number): void {
    this.endRefreshing(tx, account)
    this.accounts.raiseSessionGeneration(tx, account)
  }

  /**
   * Ends what an account's sessions are kept alive with; access tokens that were issued live out
   * their time.
   */
  endRefreshing(tx: Tx, account: number): void {
    this.sessions.deleteOfAccount(tx, account)
    this.oauthTokens.deleteOfAccount(tx, account)
    this.oauthRequests.deleteOfAccount(tx, account)
  }

  /** Whether the database answers. */
  isReadable(): boolean {
    try {
      this.events.lastSeq()
      return true
    } catch (error) {
      this.#log.error(
        {
          err: error,
          todo: 'see whether the disk and the database file are healthy; restore the newest backup if the file is damaged',
        },
        'the database cannot be read',
      )
      return false
    }
  }

  [Symbol.dispose](): void {
    this.db[Symbol.dispose]()
  }
}
