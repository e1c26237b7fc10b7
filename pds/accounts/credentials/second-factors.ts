/**
 * What signing in takes beside the password: one-time codes of an authenticator app, passkeys, and
 * backup codes for who lost them. An account that has set up none of these may still have its
 * e-mail address as one: `Emails`. The ceremonies of passkeys are in `passkeys.ts`.
 *
 * They stay when the password is reset: who reads the mail alone does not get in. They go with the
 * account, or when the operator removes them.
 */

import { DomainError } from '#platform/errors.ts'
import { seal, unseal } from '#platform/sealing.ts'
import type { Tx } from '#platform/sqlite.ts'
import { MINUTE_MS } from '#platform/time.ts'
import type { Account } from '../../store/accounts.ts'
import type { Passkey, SecondFactorStore } from '../../store/second-factors.ts'
import type { Store } from '../../store/store.ts'
import type { Emails } from '../emails.ts'
import { AccountError, LoginError } from '../errors.ts'
import { codeAsMade, randomCode } from './codes.ts'
import { type AuthenticatorSetup, isOneTimeCode, newAuthenticator, stepOf } from './one-time-codes.ts'
import { hashAppPassword } from './passwords.ts'

/** A second factor that is not accepted. `code` is the XRPC error name. */
export class SecondFactorError extends DomainError<'InvalidToken' | 'RateLimitExceeded'> {
  override name = 'SecondFactorError'
  constructor(code: SecondFactorError['code'], options?: ErrorOptions) {
    if (code === 'InvalidToken') super('invalid', 'Token is invalid', code, options)
    else super('rateLimited', 'Too many wrong codes. Please try again later.', code, options)
  }
}

/** What an account has set up. */
export interface SecondFactorOverview {
  /** Since when there is an authenticator app; ISO 8601. */
  readonly authenticatorSince: string | undefined
  readonly passkeys: readonly Pick<Passkey, 'id' | 'name' | 'createdAt' | 'lastUsedAt'>[]
  /** How many are left. */
  readonly backupCodes: number
}

const BACKUP_CODES = 10
export const PASSKEYS_MAX = 20
export const PASSKEY_NAME_CHARACTERS_MAX = 60
/**
 * Wrong codes of an account within the time that they are counted for; then none is tried until it
 * is over.
 */
export const WRONG_CODES_MAX = 5
export const WRONG_CODES_MINUTES = 15

export class SecondFactors {
  readonly #store: Store
  readonly #factors: SecondFactorStore
  readonly #emails: Pick<Emails, 'assertSecondFactor'>
  readonly #keySecret: Buffer
  readonly #issuer: string

  /**
   * @param options `keySecret` encrypts the secrets of authenticator apps; `issuer` is what the
   * apps call this service
   */
  constructor(
    store: Store,
    emails: Pick<Emails, 'assertSecondFactor'>,
    { keySecret, issuer }: { keySecret: Buffer; issuer: string },
  ) {
    this.#store = store
    this.#factors = store.secondFactors
    this.#emails = emails
    this.#keySecret = keySecret
    this.#issuer = issuer
  }

  /**
   * Whether an account signs in with an authenticator app or a passkey: then a mailed code is not
   * enough.
   */
  areSetUp(account: number): boolean {
    return this.#factors.authenticator(account) !== undefined || this.#factors.passkeys(account).length > 0
  }

  overview(account: number): SecondFactorOverview {
    return {
      authenticatorSince: this.#factors.authenticator(account)?.createdAt,
      passkeys: this.#factors.passkeys(account),
      backupCodes: this.#factors.backupCodes(account),
    }
  }

  /**
   * Whether signing in takes a code, or a passkey, after the password. A code that is mailed is on
   * its way then.
   * @throws AccountError
   */
  async isCodeNeeded(account: Account): Promise<boolean> {
    try {
      await this.assertAtSignIn(account, undefined)
      return false
    } catch (error) {
      if (error instanceof LoginError && error.code === 'AuthFactorTokenRequired') return true
      throw error
    }
  }

  /**
   * Checks, after the password, the code that signing in takes; nothing where it takes none.
   * @throws LoginError when a code is missing; SecondFactorError, EmailTokenError
   */
  async assertAtSignIn(account: Account, code: string | undefined): Promise<void> {
    if (!this.areSetUp(account.id)) return this.#emails.assertSecondFactor(account, code)
    if (!code) {
      throw new LoginError(
        this.#factors.authenticator(account.id) === undefined
          ? 'This account signs in with a passkey: use an app that signs in through the browser, an app password, or a backup code'
          : 'Enter the code that your authenticator app shows, or a backup code',
        'AuthFactorTokenRequired',
      )
    }
    await this.assertCode(account, code)
  }

  /**
   * Checks a one-time code or a backup code, and uses it up.
   * @throws SecondFactorError
   */
  async assertCode({ id, did }: Pick<Account, 'id' | 'did'>, code: string): Promise<void> {
    const typed = codeAsMade(code)
    const isBackupCode = !isOneTimeCode(typed)
    // A code counts as wrong until it was right: no more hashes are made at once than codes may be
    // tried.
    const mayTry = await this.#store.db.write((tx) => {
      const wrong = this.#recentWrongCodes(tx, id)
      if (wrong.count >= WRONG_CODES_MAX) return false
      this.#factors.putWrongCodes(tx, { ...wrong, count: wrong.count + 1 })
      return true
    })
    if (!mayTry) throw new SecondFactorError('RateLimitExceeded')
    const hash = isBackupCode ? await hashAppPassword(did, typed) : ''
    const isRight = await this.#store.db.write((tx) => {
      const isRight = isBackupCode
        ? this.#factors.useBackupCode(tx, id, hash)
        : this.#useOneTimeCode(tx, id, typed)
      if (isRight) this.#factors.deleteWrongCodes(tx, id)
      return isRight
    })
    if (!isRight) throw new SecondFactorError('InvalidToken')
  }

  /**
   * What an authenticator app is set up with; the account has it once `addAuthenticator` was given
   * a code of it.
   * @param known the secret, when it was made already
   */
  newAuthenticator({ handle, did }: Account, known?: Buffer): AuthenticatorSetup {
    return newAuthenticator(this.#issuer, handle ?? did, known)
  }

  /**
   * Gives an account an authenticator app, in place of the one it has.
   * @returns new backup codes, when it has none
   * @throws SecondFactorError when the app did not make the code; AccountError
   */
  async addAuthenticator(account: Account, secret: Buffer, code: string): Promise<string[] | undefined> {
    const lastStep = stepOf(secret, codeAsMade(code))
    if (lastStep === undefined) throw new SecondFactorError('InvalidToken')
    const encrypted = seal(this.#keySecret, secret)
    return this.#add(account, (tx) =>
      this.#factors.putAuthenticator(tx, { account: account.id, secret: encrypted, lastStep }),
    )
  }

  removeAuthenticator(account: Account): Promise<void> {
    return this.#remove(account, (tx) => this.#factors.deleteAuthenticator(tx, account.id))
  }

  /** An account's passkeys, with what checks their signatures. */
  passkeys(account: number): Passkey[] {
    return this.#factors.passkeys(account)
  }

  /**
   * Gives an account a passkey, whose proof was checked.
   * @returns new backup codes, when it has none
   * @throws AccountError
   */
  addPasskey(
    account: Account,
    passkey: Pick<Passkey, 'id' | 'publicKey' | 'counter' | 'transports' | 'name'>,
  ): Promise<string[] | undefined> {
    return this.#add(account, (tx) => {
      if (this.#factors.passkeys(account.id).length >= PASSKEYS_MAX) {
        throw new AccountError(`An account has at most ${PASSKEYS_MAX} passkeys`)
      }
      this.#factors.insertPasskey(tx, { ...passkey, account: account.id })
    })
  }

  removePasskey(account: Account, id: string): Promise<void> {
    return this.#remove(account, (tx) => this.#factors.deletePasskey(tx, account.id, id))
  }

  /** Remembers that a passkey was used, and its own count of its uses. */
  passkeyUsed(account: number, id: string, counter: number): Promise<void> {
    return this.#store.db.write((tx) => this.#factors.setPasskeyUsed(tx, account, id, counter))
  }

  /** New backup codes, which are shown once, in place of the old ones. */
  async renewBackupCodes(account: Account): Promise<string[]> {
    const { codes, hashes } = await newBackupCodes(account.did)
    await this.#store.db.write((tx) => {
      this.#assertThere(account)
      // Codes stand in for something; without it, a later one would come with none that its owner
      // was shown.
      if (!this.areSetUp(account.id)) throw new AccountError('There is no second factor to make codes for')
      this.#factors.putBackupCodes(tx, account.id, hashes)
    })
    return codes
  }

  /** Removes all of an account's: for who lost every one of them, and for the operator alone. */
  async removeAll({ id }: Pick<Account, 'id'>): Promise<void> {
    await this.#store.db.write((tx) => this.#factors.deleteAll(tx, id))
  }

  async #add(account: Account, add: (tx: Tx) => void): Promise<string[] | undefined> {
    const { codes, hashes } = await newBackupCodes(account.did)
    return this.#store.db.write((tx) => {
      this.#assertThere(account)
      add(tx)
      if (this.#factors.backupCodes(account.id) > 0) return undefined
      this.#factors.putBackupCodes(tx, account.id, hashes)
      return codes
    })
  }

  /** Backup codes stand in for something: they go with the last of it. */
  #remove({ id }: Account, remove: (tx: Tx) => void): Promise<void> {
    return this.#store.db.write((tx) => {
      remove(tx)
      if (!this.areSetUp(id)) this.#factors.deleteBackupCodes(tx, id)
    })
  }

  #useOneTimeCode(tx: Tx, account: number, code: string): boolean {
    const authenticator = this.#factors.authenticator(account)
    if (authenticator === undefined) return false
    const step = stepOf(unseal(this.#keySecret, authenticator.secret), code)
    if (step === undefined || step <= authenticator.lastStep) return false
    this.#factors.setLastStep(tx, account, step)
    return true
  }

  #recentWrongCodes(tx: Tx, account: number) {
    const wrong = this.#factors.wrongCodes(account)
    const isOver =
      wrong === undefined || Date.parse(tx.now) - Date.parse(wrong.since) >= WRONG_CODES_MINUTES * MINUTE_MS
    return isOver ? { account, count: 0, since: tx.now } : wrong
  }

  /**
   * An account may have ended since it was looked up; what is added to it then would stay for ever.
   */
  #assertThere({ id }: Account): void {
    if (this.#store.accounts.byId(id) === undefined) throw new AccountError('Account not found')
  }
}

async function newBackupCodes(did: string): Promise<{ codes: string[]; hashes: string[] }> {
  const codes = Array.from({ length: BACKUP_CODES }, randomCode)
  return { codes, hashes: await Promise.all(codes.map((code) => hashAppPassword(did, code))) }
}
