/** What an account, a sign-in and a repository are refused with. */
import { DomainError } from '#platform/errors.ts'

/**
 * An account cannot be created or changed as requested. `code` is the XRPC error name where
 * `@atproto/pds` has one.
 */
export class AccountError extends DomainError<AccountErrorCode | undefined> {
  override name = 'AccountError'
  constructor(message: string, code?: AccountErrorCode) {
    super('invalid', message, code)
  }
}

type AccountErrorCode =
  | 'AccountNotFound'
  | 'AlreadyExists'
  | 'HandleNotAvailable'
  | 'InvalidEmail'
  | 'InvalidPassword'
  | 'QuotaExceeded'
  | 'TokenRequired'

/** A sign-in that failed. Says no more than that to a stranger. */
export class LoginError extends DomainError<'AccountTakedown' | 'AuthFactorTokenRequired' | undefined> {
  override name = 'LoginError'
  constructor(message = 'Invalid identifier or password', code?: LoginError['code']) {
    super('unauthenticated', message, code)
  }
}

/**
 * A repository that is not available: it does not exist, or its account is not active. `code` is
 * the XRPC error name.
 */
export class RepoUnavailableError extends DomainError<'RepoNotFound' | 'RepoTakendown' | 'RepoDeactivated'> {
  override name = 'RepoUnavailableError'
  constructor(code: RepoUnavailableError['code'], message: string) {
    super('notFound', message, code)
  }
}
