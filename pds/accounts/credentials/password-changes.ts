/**
 * A new password in place of one that was forgotten, or that the operator takes away. Every session
 * ends with the old one, on every browser and in every app, and so do app passwords: whoever had
 * the account may have made one.
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

interface Deps {
  readonly store: Store
  readonly emailTokens: EmailTokens
  readonly emails: Emails
  readonly passwordProofs: PasswordProofs
  readonly log: Logger
}

export class PasswordChanges {
  readonly #deps: Deps
  readonly #passwordCharactersMin: number

  constructor(deps: Deps, { passwordCharactersMin }: { passwordCharactersMin: number }) {
    this.#deps = deps
    this.#passwordCharactersMin = passwordCharactersMin
  }

  /**
   * Mails the account of an address, if there is one, the code that a new password takes. Nobody
   * hears whether there is one, nor waits for the mail; that it did not leave is for the operator's
   * log.
   */
  requestUnseen(email: string): void {
    this.request(email).catch((error: unknown) => {
      // A mail that did not leave stands in the log already.
      if (!(error instanceof AccountError) && !(error instanceof MailError))
        this.#deps.log.error(
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
    const account = this.#deps.store.accounts.byEmail(email.toLowerCase())
    if (account === undefined) throw new AccountError('account does not have an email address')
    await this.#deps.emails.sendCode('reset_password', account)
    return account
  }

  /**
   * Sets the password of whoever was mailed the code.
   * @returns whose it was
   * @throws AccountError, EmailTokenError
   */
  async reset(code: string, password: string): Promise<number> {
    this.#assertLength(password)
    this.#deps.emailTokens.accountOf('reset_password', code)
    const hash = await hashPassword(password)
    // While it was hashed the code may have been used.
    return this.#deps.store.db.write((tx) => {
      const account = this.#deps.emailTokens.accountOf('reset_password', code)
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
    const account = this.#deps.store.accounts.byDid(did)
    if (account === undefined) throw new AccountError('Account not found')
    const hash = await hashPassword(password)
    await this.#deps.store.db.write((tx) => this.#replace(tx, account.id, hash))
  }

  #replace(tx: Tx, account: number, hash: string): void {
    this.#deps.store.credentials.setPassword(tx, account, hash)
    this.#deps.emailTokens.delete(tx, 'reset_password', account)
    this.#deps.store.endSessions(tx, account)
    this.#deps.store.appPasswords.deleteAll(tx, account)
    this.#deps.store.devices.deleteOfAccount(tx, account)
    const owner = this.#deps.store.accounts.byId(account)
    if (owner !== undefined) tx.afterCommit(() => this.#deps.passwordProofs.endOfAccount(owner))
  }

  #assertLength(password: string): void {
    if (password.length > NEW_PASSWORD_CHARACTERS_MAX) throw new AccountError('Invalid password length.')
    assertPasswordLongEnough(password, this.#passwordCharactersMin)
  }
}
