/** From a request to credentials. Which methods want which is said by the endpoints; the error names are the reference's. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { type SessionScope, type Sessions, TokenError } from '../accounts/sessions.ts'
import type { Account, AccountStore } from '../store/accounts.ts'
import {
  type AccessCredentials,
  type AdminCredentials,
  AuthError,
  type RefreshCredentials,
} from './credentials.ts'

/** Which accounts a method lets in. */
export interface StatusRules {
  readonly checkTakedown?: boolean
  readonly checkDeactivated?: boolean
}

export interface AccessRules extends StatusRules {
  /** Scopes let in; by default those of a full password and of app passwords. */
  readonly scopes?: readonly SessionScope[]
}

export const SCOPES_STANDARD: readonly SessionScope[] = [
  'com.atproto.access',
  'com.atproto.appPassPrivileged',
  'com.atproto.appPass',
]

export class AuthVerifier {
  readonly #sessions: Sessions
  readonly #accounts: AccountStore
  readonly #adminPassword: Buffer

  constructor(sessions: Sessions, accounts: AccountStore, { adminPassword }: { adminPassword: string }) {
    this.#sessions = sessions
    this.#accounts = accounts
    this.#adminPassword = fingerprint(adminPassword)
  }

  /** @throws AuthError */
  async access(
    request: IncomingMessage,
    { scopes = SCOPES_STANDARD, ...status }: AccessRules = {},
  ): Promise<AccessCredentials> {
    const token = bearer(request)
    const { did, scope } = await this.#verified(this.#sessions.verifyAccess(token))
    const allowed = scopes.find((allowed) => allowed === scope)
    if (allowed === undefined) throw new AuthError(400, 'Bad token scope', 'InvalidToken')
    if (status.checkTakedown || status.checkDeactivated) this.account(did, status)
    return { type: 'access', did, scope: allowed }
  }

  /** @throws AuthError */
  async refresh(
    request: IncomingMessage,
    options: { allowExpired?: boolean } = {},
  ): Promise<RefreshCredentials> {
    const token = bearer(request)
    const { did, scope, tokenId } = await this.#verified(this.#sessions.verifyRefresh(token, options))
    if (scope !== 'com.atproto.refresh') throw new AuthError(400, 'Bad token scope', 'InvalidToken')
    if (tokenId === undefined)
      throw new AuthError(401, 'Unexpected missing refresh token id', 'MissingTokenId')
    return { type: 'refresh', did, tokenId }
  }

  /**
   * Credentials where there are some, and null where there are none.
   * @throws AuthError when there are some that do not hold
   */
  async optional(request: IncomingMessage): Promise<AccessCredentials | AdminCredentials | null> {
    const { kind, value } = authorization(request)
    if (kind === null) return null
    return kind === 'basic' ? this.#admin(value) : this.access(request)
  }

  /**
   * The account that a caller names, if it may act.
   * @throws AuthError
   */
  account(identifier: string, rules: StatusRules): Account {
    const account = this.#accounts.find(identifier)
    if (account === undefined) throw new AuthError(403, 'Account not found', 'AccountNotFound')
    if (rules.checkTakedown && account.takedownRef !== null) {
      throw new AuthError(401, 'Account has been taken down', 'AccountTakedown')
    }
    if (rules.checkDeactivated && account.deactivatedAt !== null) {
      throw new AuthError(401, 'Account is deactivated', 'AccountDeactivated')
    }
    return account
  }

  #admin(basic: string): AdminCredentials {
    const text = Buffer.from(basic, 'base64').toString('utf8')
    const colon = text.indexOf(':')
    const right = timingSafeEqual(fingerprint(text.slice(colon + 1)), this.#adminPassword)
    if (text.slice(0, Math.max(colon, 0)) !== 'admin' || !right) throw new AuthError(401, undefined)
    return { type: 'admin' }
  }

  async #verified<T>(claims: Promise<T>): Promise<T> {
    try {
      return await claims
    } catch (error) {
      if (error instanceof TokenError) throw new AuthError(400, error.message, error.code)
      throw error
    }
  }
}

/** Whether a repository's owner or the operator asks. */
export function isOwnerOrAdmin(
  credentials: AccessCredentials | AdminCredentials | null,
  did: string,
): boolean {
  return credentials?.type === 'admin' || credentials?.did === did
}

/** Compared instead of the password: of one length, whatever was sent. */
const fingerprint = (text: string): Buffer => createHash('sha256').update(text).digest()

type Authorization =
  | { readonly kind: 'bearer' | 'basic' | 'dpop'; readonly value: string }
  | { readonly kind: null; readonly value: '' }

function authorization(request: IncomingMessage): Authorization {
  const header = request.headers.authorization
  if (!header) return { kind: null, value: '' }
  const [name = '', value, ...rest] = header.split(' ')
  if (value === undefined || rest.length > 0)
    throw new AuthError(400, 'Malformed authorization header', 'InvalidToken')
  const kind = name.toLowerCase()
  if (kind === 'bearer' || kind === 'basic' || kind === 'dpop') return { kind, value }
  throw new AuthError(400, `Unsupported authorization type: ${name.slice(0, 40)}`, 'InvalidToken')
}

function bearer(request: IncomingMessage): string {
  const { kind, value } = authorization(request)
  if (kind === 'bearer') return value
  if (kind === null) throw new AuthError(401, undefined, 'AuthMissing')
  throw new AuthError(400, 'Unexpected authorization type', 'InvalidToken')
}
