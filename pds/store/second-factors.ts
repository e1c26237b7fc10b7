/**
 * What accounts sign in with beside their passwords: authenticator apps, passkeys, backup codes;
 * and the codes that were wrong.
 */
import type { Args, Sqlite, Tx } from '#platform/sqlite.ts'
import type { Schema } from './schema.ts'

export type Authenticator = Schema['authenticator']
export type Passkey = Schema['passkey']
export type WrongCodes = Schema['wrong_code']

export class SecondFactorStore {
  readonly #authenticator
  readonly #authenticators
  readonly #putAuthenticator
  readonly #setSecret
  readonly #setLastStep
  readonly #deleteAuthenticator
  readonly #passkeys
  readonly #insertPasskey
  readonly #setPasskeyUsed
  readonly #deletePasskey
  readonly #backupCodes
  readonly #insertBackupCode
  readonly #deleteBackupCode
  readonly #wrongCodes
  readonly #putWrongCodes
  readonly #deleteAll

  constructor(db: Sqlite<Schema>) {
    type Account = { account: number }
    this.#authenticator = db.prepare((q, arg: Args<Account>) =>
      q.selectFrom('authenticator').selectAll().where('account', '=', arg.account),
    )
    this.#authenticators = db.prepare((q, arg: Args<{ after: number; limit: number }>) =>
      q
        .selectFrom('authenticator')
        .select(['account', 'secret'])
        .where('account', '>', arg.after)
        .orderBy('account')
        .limit(arg.limit),
    )
    this.#putAuthenticator = db.prepare((q, arg: Args<Authenticator>) =>
      q.replaceInto('authenticator').values({
        account: arg.account,
        secret: arg.secret,
        lastStep: arg.lastStep,
        createdAt: arg.createdAt,
      }),
    )
    this.#setSecret = db.prepare((q, arg: Args<Account & { secret: Buffer }>) =>
      q.updateTable('authenticator').set({ secret: arg.secret }).where('account', '=', arg.account),
    )
    this.#setLastStep = db.prepare((q, arg: Args<Account & { lastStep: number }>) =>
      q.updateTable('authenticator').set({ lastStep: arg.lastStep }).where('account', '=', arg.account),
    )
    this.#deleteAuthenticator = db.prepare((q, arg: Args<Account>) =>
      q.deleteFrom('authenticator').where('account', '=', arg.account),
    )
    this.#passkeys = db.prepare((q, arg: Args<Account>) =>
      q.selectFrom('passkey').selectAll().where('account', '=', arg.account).orderBy('createdAt'),
    )
    this.#insertPasskey = db.prepare((q, arg: Args<Passkey>) =>
      q.insertInto('passkey').values({
        account: arg.account,
        id: arg.id,
        publicKey: arg.publicKey,
        counter: arg.counter,
        transports: arg.transports,
        name: arg.name,
        createdAt: arg.createdAt,
        lastUsedAt: arg.lastUsedAt,
      }),
    )
    this.#setPasskeyUsed = db.prepare(
      (q, arg: Args<Account & { id: string; counter: number; lastUsedAt: string }>) =>
        q
          .updateTable('passkey')
          .set({ counter: arg.counter, lastUsedAt: arg.lastUsedAt })
          .where('account', '=', arg.account)
          .where('id', '=', arg.id),
    )
    this.#deletePasskey = db.prepare((q, arg: Args<Account & { id: string }>) =>
      q.deleteFrom('passkey').where('account', '=', arg.account).where('id', '=', arg.id),
    )
    this.#backupCodes = db.prepare((q, arg: Args<Account>) =>
      q
        .selectFrom('backup_code')
        .select((e) => e.fn.countAll<number>().as('count'))
        .where('account', '=', arg.account),
    )
    this.#insertBackupCode = db.prepare((q, arg: Args<Schema['backup_code']>) =>
      q.insertInto('backup_code').values({ account: arg.account, codeHash: arg.codeHash }),
    )
    this.#deleteBackupCode = db.prepare((q, arg: Args<Schema['backup_code']>) =>
      q.deleteFrom('backup_code').where('account', '=', arg.account).where('codeHash', '=', arg.codeHash),
    )
    this.#wrongCodes = db.prepare((q, arg: Args<Account>) =>
      q.selectFrom('wrong_code').selectAll().where('account', '=', arg.account),
    )
    this.#putWrongCodes = db.prepare((q, arg: Args<WrongCodes>) =>
      q.replaceInto('wrong_code').values({ account: arg.account, count: arg.count, since: arg.since }),
    )
    const deleteFrom = (table: 'authenticator' | 'passkey' | 'backup_code' | 'wrong_code') =>
      db.prepare((q, arg: Args<Account>) => q.deleteFrom(table).where('account', '=', arg.account))
    this.#deleteAll = {
      authenticator: deleteFrom('authenticator'),
      passkeys: deleteFrom('passkey'),
      backupCodes: deleteFrom('backup_code'),
      wrongCodes: deleteFrom('wrong_code'),
    }
  }

  authenticator(account: number): Authenticator | undefined {
    return this.#authenticator.get({ account })
  }

  /** A page of all accounts', in the order of their ids. */
  authenticators(after: number, limit: number): Pick<Authenticator, 'account' | 'secret'>[] {
    return this.#authenticators.all({ after, limit })
  }

  /**
   * Keeps an authenticator in place of the account's earlier one. @param authenticator its secret
   * encrypted
   */
  putAuthenticator(tx: Tx, authenticator: Omit<Authenticator, 'createdAt'>): void {
    this.#putAuthenticator.run({ ...authenticator, createdAt: tx.now })
  }

  setSecret(_tx: Tx, account: number, secret: Buffer): void {
    this.#setSecret.run({ account, secret })
  }

  setLastStep(_tx: Tx, account: number, lastStep: number): void {
    this.#setLastStep.run({ account, lastStep })
  }

  deleteAuthenticator(_tx: Tx, account: number): void {
    this.#deleteAuthenticator.run({ account })
  }

  /** An account's, oldest first. */
  passkeys(account: number): Passkey[] {
    return this.#passkeys.all({ account })
  }

  insertPasskey(tx: Tx, passkey: Omit<Passkey, 'createdAt' | 'lastUsedAt'>): void {
    this.#insertPasskey.run({ ...passkey, createdAt: tx.now, lastUsedAt: null })
  }

  setPasskeyUsed(tx: Tx, account: number, id: string, counter: number): void {
    this.#setPasskeyUsed.run({ account, id, counter, lastUsedAt: tx.now })
  }

  deletePasskey(_tx: Tx, account: number, id: string): void {
    this.#deletePasskey.run({ account, id })
  }

  /** How many are left. */
  backupCodes(account: number): number {
    return this.#backupCodes.get({ account })?.count ?? 0
  }

  /** Keeps new backup codes in place of the old ones. */
  putBackupCodes(tx: Tx, account: number, codeHashes: readonly string[]): void {
    this.deleteBackupCodes(tx, account)
    for (const codeHash of codeHashes) this.#insertBackupCode.run({ account, codeHash })
  }

  /** Uses a backup code up. @returns whether there was such a code */
  useBackupCode(_tx: Tx, account: number, codeHash: string): boolean {
    return this.#deleteBackupCode.run({ account, codeHash }) > 0
  }

  deleteBackupCodes(_tx: Tx, account: number): void {
    this.#deleteAll.backupCodes.run({ account })
  }

  /** The wrong codes that were tried for an account, and since when they are counted. */
  wrongCodes(account: number): WrongCodes | undefined {
    return this.#wrongCodes.get({ account })
  }

  putWrongCodes(_tx: Tx, wrongCodes: WrongCodes): void {
    this.#putWrongCodes.run(wrongCodes)
  }

  deleteWrongCodes(_tx: Tx, account: number): void {
    this.#deleteAll.wrongCodes.run({ account })
  }

  /** Everything of an account. */
  deleteAll(_tx: Tx, account: number): void {
    for (const statement of Object.values(this.#deleteAll)) statement.run({ account })
  }
}
