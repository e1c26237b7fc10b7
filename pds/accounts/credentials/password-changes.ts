/**
 * A new password in place of one that was forgotten, or that the operator takes away. Every session ends with the old one, on
 * every browser and in every app, and so do app passwords: whoever had the account may have made one.
 */
import type { Logger } from '#platform/log.ts'
import type { Tx } from '#platform/sqlite.ts'
import { MailError } from '../../mail/transport.ts'
import type { Account } from '../../store/accounts.ts'
import type { Store } from '../../store/store.ts'
import type { Emails } from '../emails.ts'
import { AccountError } from '../errors.ts'
import type { EmailTokens } from './email-tokens.ts'
import type { PasswordProofs } from './password-proofs.ts'
import { assertPasswordLongEnough, hashPassword, NEW_PASSWORD_CHARACTERS_MAX } from './passwords.ts'

export class PasswordChanges {
  readonly #store: Store
  readonly #tokens: EmailTokens
  readonly #emails: Emails
  readonly #proofs: PasswordProofs
  readonly #log: Logger
  readonly #passwordCharactersMin: number

  constructor(
    store: Store,
    tokens: EmailTokens,
    emails: Emails,
    proofs: PasswordProofs,
    log: Logger,
    { passwordCharactersMin }: { passwordCharactersMin: number },
  ) {
    this.#proofs = proofs
    this.#log = log
    this.#passwordCharactersMin = passwordCharactersMin
    this.#store = store
    this.#tokens = tokens
    this.#emails = emails
  }

  /**
   * Mails the account of an address, if there is one, the code that a new password takes. Nobody hears whether there is one, nor waits for the
   * mail; that it did not leave is for the operator's log.
   */
  requestUnseen(email: string): void {
    this.request(email).catch((error: unknown) => {
      // A mail that did not leave stands in the log already.
      if (!(error instanceof AccountError) && !(error instanceof MailError))
        this.#log.error(
          { err: error, todo: 'whoever asked for a new password waits for the code: look at the error' },
          'a mailed code did not leave',
        )
    })
  }

  /**
   * Mails the account of an address the code that a new password takes.
   * @returns the account
   * @throws AccountError when no account has the address
   */
  async request(email: string): Promise<Account> {
    const account = this.#store.accounts.byEmail(email.toLowerCase())
    if (account === undefined) throw new AccountError('account does not have an email address')
    await this.#emails.sendCode('reset_password', account)
    return account
  }

  /**
   * Sets the password of whoever was mailed the code.
   * @returns whose it was
   * @throws AccountError, EmailTokenError
   */
  async reset(code: string, password: string): Promise<number> {
    this.#assertLength(password)
    this.#tokens.accountOf('reset_password', code)
    const hash = await hashPassword(password)
    // While it was hashed the code may have been used.
    return this.#store.db.write((tx) => {
      const account = this.#tokens.accountOf('reset_password', code)
      this.#replace(tx, account, hash)
      return account
    })
  }

  /**
   * Sets the password of the account with a DID.
   * @throws AccountError
   */
  async set(did: string, password: string): Promise<void> {
    this.#assertLength(password)
    const account = this.#store.accounts.byDid(did)
    if (account === undefined) throw new AccountError('Account not found')
    const hash = await hashPassword(password)
    await this.#store.db.write((tx) => this.#replace(tx, account.id, hash))
  }

  #replace(tx: Tx, account: number, hash: string): void {
    this.#store.credentials.setPassword(tx, account, hash)
    this.#tokens.delete(tx, 'reset_password', account)
    this.#store.endSessions(tx, account)
    this.#store.appPasswords.deleteAll(tx, account)
    this.#store.devices.deleteOfAccount(tx, account)
    const owner = this.#store.accounts.byId(account)
    if (owner !== undefined) tx.afterCommit(() => this.#proofs.endOfAccount(owner))
  }

  #assertLength(password: string): void {
    if (password.length > NEW_PASSWORD_CHARACTERS_MAX) throw new AccountError('Invalid password length.')
    assertPasswordLongEnough(password, this.#passwordCharactersMin)
  }
}
