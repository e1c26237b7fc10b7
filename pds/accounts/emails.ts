/** An account's address: codes sent to it, confirmed, changed, and used as a second factor. */
import { isEmailValid } from '@hapi/address'
import { isDisposableEmail } from 'disposable-email-domains-js'
import type { Mailer } from '../mail/mailer.ts'
import type { Account } from '../store/accounts.ts'
import type { Store } from '../store/store.ts'
import type { EmailTokenPurpose, EmailTokens } from './credentials/email-tokens.ts'
import { AccountError, LoginError } from './errors.ts'

export interface EmailChange {
  readonly email: string
  /** The code that `requestUpdate` mailed. */
  readonly code?: string
  /** Whether signing in is to take a mailed code too. */
  readonly authFactor?: boolean
}

export class Emails {
  readonly #store: Store
  readonly #tokens: EmailTokens
  readonly #mailer: Mailer

  constructor(store: Store, tokens: EmailTokens, mailer: Mailer) {
    this.#store = store
    this.#tokens = tokens
    this.#mailer = mailer
  }

  /**
   * Mails an account a new code.
   * @throws AccountError when it has no address
   */
  async sendCode(purpose: EmailTokenPurpose, account: Account): Promise<void> {
    const { email, handle } = account
    if (email === null) throw new AccountError('account does not have an email address')
    const code = await this.#store.db.write((tx) => this.#tokens.create(tx, purpose, account.id))
    await this.#mailer.sendCode(email, { purpose, code, handle: handle ?? email })
  }

  /**
   * Takes an address as the account's own.
   * @throws AccountError, EmailTokenError
   */
  async confirm(account: Account, email: string, code: string): Promise<void> {
    if (account.email !== email.toLowerCase()) throw new AccountError('invalid email', 'InvalidEmail')
    await this.#store.db.write((tx) => {
      this.#tokens.consume(tx, 'confirm_email', account.id, code)
      this.#store.credentials.confirmEmail(tx, account.id)
    })
  }

  /**
   * Mails the code that changing the address takes, if the present one was confirmed.
   * @returns whether it takes one
   * @throws AccountError when the account has no address
   */
  async requestUpdate(account: Account): Promise<boolean> {
    if (account.email === null) throw new AccountError('account does not have an email address')
    if (account.emailConfirmedAt === null) return false
    await this.sendCode('update_email', account)
    return true
  }

  /**
   * Changes the address, or, with the present address, only whether it is a second factor.
   * @throws AccountError, EmailTokenError
   */
  async update(account: Account, { email, code, authFactor }: EmailChange): Promise<void> {
    if (authFactor !== undefined && email.toLowerCase() === account.email) {
      return this.#setAuthFactor(account, authFactor, code)
    }
    assertEmailSupported(email)
    if (authFactor) throw new AccountError('An address can be a second factor once it is confirmed')
    if (account.emailConfirmedAt !== null && !code) throw tokenRequired()
    await this.set(account, email, code)
  }

  /**
   * Gives an account another address, which takes its codes and its second factor with it.
   * @param code checked when there is one
   * @throws AccountError, EmailTokenError
   */
  async set({ id }: Account, email: string, code?: string): Promise<void> {
    const { accounts, credentials, db } = this.#store
    const address = email.toLowerCase()
    await db.write((tx) => {
      if (code) this.#tokens.assertValid('update_email', id, code)
      const holder = accounts.byEmail(address)
      if (holder !== undefined && holder.id !== id) {
        throw new AccountError('This email address is already in use, please use a different email.')
      }
      credentials.setEmail(tx, id, address)
      this.#tokens.deleteAll(tx, id)
    })
  }

  /**
   * Checks the mailed code if the address is a second factor, or mails one if none was given.
   * @throws LoginError when a code was mailed; EmailTokenError
   */
  async assertSecondFactor(account: Account, code: string | undefined): Promise<void> {
    if (account.emailAuthFactor !== 1) return
    if (!code) {
      await this.sendCode('sign_in', account)
      throw new LoginError('A sign-in code has been sent to your email address', 'AuthFactorTokenRequired')
    }
    await this.#store.db.write((tx) => this.#tokens.consume(tx, 'sign_in', account.id, code))
  }

  async #setAuthFactor({ id, emailConfirmedAt, emailAuthFactor }: Account, on: boolean, code?: string) {
    if (on && emailConfirmedAt === null) {
      throw new AccountError('An address can be a second factor once it is confirmed')
    }
    // Turning it on makes the account safer; turning it off is for who reads the mail.
    if (!on && emailAuthFactor === 1 && !code) throw tokenRequired()
    await this.#store.db.write((tx) => {
      if (code) this.#tokens.consume(tx, 'update_email', id, code)
      this.#store.credentials.setEmailAuthFactor(tx, id, on)
    })
  }
}

const tokenRequired = () => new AccountError('confirmation token required', 'TokenRequired')

/** @throws AccountError for what is no address, or one to be thrown away */
export function assertEmailSupported(email: string): void {
  if (!isEmailValid(email) || isDisposableEmail(email)) {
    throw new AccountError('This email address is not supported, please use a different email.')
  }
}
