/** What an account signs in and signs with: password, address as a second factor, signing key. */
import type { Args, Sqlite, Tx } from '#platform/sqlite.ts'
import type { Schema } from './schema.ts'

export class AccountCredentialStore {
  readonly #password
  readonly #signingKey
  readonly #signingKeys
  readonly #setSigningKey
  readonly #setEmail
  readonly #confirmEmail
  readonly #setEmailAuthFactor
  readonly #setPassword

  constructor(db: Sqlite<Schema>) {
    this.#password = db.prepare((q, arg: Args<{ id: number }>) =>
      q.selectFrom('account').select('password').where('id', '=', arg.id),
    )
    this.#signingKey = db.prepare((q, arg: Args<{ id: number }>) =>
      q.selectFrom('account').select('signingKey').where('id', '=', arg.id),
    )
    this.#signingKeys = db.prepare((q, arg: Args<{ after: number; limit: number }>) =>
      q
        .selectFrom('account')
        .select(['id', 'signingKey'])
        .where('id', '>', arg.after)
        .orderBy('id')
        .limit(arg.limit),
    )
    this.#setSigningKey = db.prepare((q, arg: Args<{ id: number; signingKey: Buffer }>) =>
      q.updateTable('account').set({ signingKey: arg.signingKey }).where('id', '=', arg.id),
    )
    this.#setEmail = db.prepare((q, arg: Args<{ id: number; email: string }>) =>
      q
        .updateTable('account')
        .set({ email: arg.email, emailConfirmedAt: null, emailAuthFactor: 0 })
        .where('id', '=', arg.id),
    )
    this.#confirmEmail = db.prepare((q, arg: Args<{ id: number; now: string }>) =>
      q.updateTable('account').set({ emailConfirmedAt: arg.now }).where('id', '=', arg.id),
    )
    this.#setEmailAuthFactor = db.prepare((q, arg: Args<{ id: number; on: number }>) =>
      q.updateTable('account').set({ emailAuthFactor: arg.on }).where('id', '=', arg.id),
    )
    this.#setPassword = db.prepare((q, arg: Args<{ id: number; password: string }>) =>
      q.updateTable('account').set({ password: arg.password }).where('id', '=', arg.id),
    )
  }

  /** The stored scrypt hash; null when the account has no password. */
  password(id: number): string | null {
    return this.#password.get({ id })?.password ?? null
  }

  /** The encrypted signing key. */
  signingKey(id: number): Buffer | undefined {
    return this.#signingKey.get({ id })?.signingKey
  }

  /** Encrypted signing keys, in the order of their accounts, after the given one. */
  signingKeys(after: number, limit: number): { id: number; signingKey: Buffer }[] {
    return this.#signingKeys.all({ after, limit })
  }

  setSigningKey(_tx: Tx, id: number, signingKey: Buffer): void {
    this.#setSigningKey.run({ id, signingKey })
  }

  /**
   * Changes an account's email address. The new one is unconfirmed, and so no second factor.
   * @param email in lower case
   */
  setEmail(_tx: Tx, id: number, email: string): void {
    this.#setEmail.run({ id, email })
  }

  confirmEmail(tx: Tx, id: number): void {
    this.#confirmEmail.run({ id, now: tx.now })
  }

  setEmailAuthFactor(_tx: Tx, id: number, on: boolean): void {
    this.#setEmailAuthFactor.run({ id, on: Number(on) })
  }

  /** @param password the scrypt hash */
  setPassword(_tx: Tx, id: number, password: string): void {
    this.#setPassword.run({ id, password })
  }
}
