/**
 * Codes that prove access to an account's email address. An account has one code per purpose, valid
 * for 15 minutes; a new one replaces the old one. The caller mails it after the transaction.
 */

import { createHash, timingSafeEqual } from 'node:crypto'
import { DomainError } from '#platform/errors.ts'
import type { Tx } from '#platform/sqlite.ts'
import { MINUTE_MS } from '#platform/time.ts'
import type { CodePurpose } from '../../mail/templates.ts'
import { mailedCodeHash } from '../../repo/keys/key-secret.ts'
import type { EmailToken, EmailTokenStore } from '../../store/email-tokens.ts'
import { codeAsMade, randomCode } from './codes.ts'

/** What a code is good for. */
export type EmailTokenPurpose = CodePurpose

/** A code that is not accepted. `code` is the XRPC error name. */
export class EmailTokenError extends DomainError<'InvalidToken' | 'ExpiredToken'> {
  override name = 'EmailTokenError'
  constructor(code: EmailTokenError['code']) {
    super('invalid', code === 'InvalidToken' ? 'Token is invalid' : 'Token is expired', code)
  }
}

const LIFETIME_MINUTES = 15

export class EmailTokens {
  readonly #tokens: EmailTokenStore
  readonly #keySecret: Buffer

  /** @param keySecret so that a copy of the database is no use for guessing codes */
  constructor(tokens: EmailTokenStore, keySecret: Buffer) {
    this.#tokens = tokens
    this.#keySecret = keySecret
  }

  /** A new code for the account, `XXXXX-XXXXX`, in place of any earlier one for the purpose. */
  create(tx: Tx, purpose: EmailTokenPurpose, account: number): string {
    const code = randomCode().toUpperCase()
    this.#tokens.put(tx, { account, purpose, codeHash: this.#hash(code) })
    return code
  }

  /**
   * Checks a code, and leaves it as it is.
   * @throws EmailTokenError
   */
  assertValid(purpose: EmailTokenPurpose, account: number, code: string): void {
    const token = this.#tokens.get(account, purpose)
    if (token === undefined || !timingSafeEqual(token.codeHash, this.#hash(code))) {
      throw new EmailTokenError('InvalidToken')
    }
    assertFresh(token)
  }

  /**
   * Checks a code and uses it up.
   * @throws EmailTokenError
   */
  consume(tx: Tx, purpose: EmailTokenPurpose, account: number, code: string): void {
    this.assertValid(purpose, account, code)
    this.delete(tx, purpose, account)
  }

  /**
   * The account that was mailed a code.
   * @throws EmailTokenError
   */
  accountOf(purpose: EmailTokenPurpose, code: string): number {
    const token = this.#tokens.byCode(purpose, this.#hash(code))
    if (token === undefined) throw new EmailTokenError('InvalidToken')
    assertFresh(token)
    return token.account
  }

  delete(tx: Tx, purpose: EmailTokenPurpose, account: number): void {
    this.#tokens.delete(tx, account, purpose)
  }

  /** Makes every code of the account worthless. */
  deleteAll(tx: Tx, account: number): void {
    this.#tokens.deleteAll(tx, account)
  }

  #hash(code: string): Buffer {
    return mailedCodeHash(
      this.#keySecret,
      createHash('sha256').update(codeAsMade(code).toUpperCase()).digest(),
    )
  }
}

function assertFresh({ requestedAt }: EmailToken): void {
  if (Date.now() - Date.parse(requestedAt) >= LIFETIME_MINUTES * MINUTE_MS)
    throw new EmailTokenError('ExpiredToken')
}
