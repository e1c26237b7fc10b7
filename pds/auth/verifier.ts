/**
 * From a request to credentials. The endpoints say which they accept; the error names are those of
 * `@atproto/pds`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { AuthRequiredError, parseReqNsid } from '@atproto/xrpc-server'
import { decodeJwt } from 'jose'
import { comparerOf } from '#platform/sealing.ts'
import type { Moves } from '../accounts/moves.ts'
import { type SessionScope, type Sessions, TokenError } from '../accounts/sessions.ts'
import type { DidDocuments } from '../identity/did-documents.ts'
import type { Account, AccountStore } from '../store/accounts.ts'
import type { AppTokens } from './app-tokens.ts'
import {
  type AccessCredentials,
  type AdminCredentials,
  type AppCredentials,
  AuthError,
  type PersonCredentials,
  type RefreshCredentials,
  type ServiceCredentials,
} from './credentials.ts'
import { type PermissionRule, Permissions } from './permissions.ts'
import { verifyServiceToken } from './service-callers.ts'

/** Which accounts a method lets in. */
export interface StatusRules {
  readonly checkTakedown?: boolean
  readonly checkDeactivated?: boolean
}

/** A request, and the response whose headers carry the authentication challenge. */
export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

export interface AccessRules extends StatusRules {
  /** What an app must have been allowed. */
  readonly permission: PermissionRule
  /** Accepted session scopes; by default those of a full password and of app passwords. */
  readonly scopes?: readonly SessionScope[]
}

const SCOPES_STANDARD: readonly SessionScope[] = [
  'com.atproto.access',
  'com.atproto.appPassPrivileged',
  'com.atproto.appPass',
]

/** Those, and that of an account that was taken down. */
export const SCOPES_EVEN_TAKENDOWN: readonly SessionScope[] = [...SCOPES_STANDARD, 'com.atproto.takendown']

/** Also those who wait for an account at a server that makes people queue. */
export const SCOPES_WITH_QUEUED: readonly SessionScope[] = [...SCOPES_STANDARD, 'com.atproto.signupQueued']

/** Those who signed in with the account's own password. */
export const SCOPES_FULL: readonly SessionScope[] = ['com.atproto.access']

/** Those, and that of a taken down account that signed in with its own password. */
export const SCOPES_FULL_EVEN_TAKENDOWN: readonly SessionScope[] = [...SCOPES_FULL, 'com.atproto.takendown']

export interface AuthVerifierOptions {
  readonly adminPassword: string
  /** The DID of this service: what service tokens for it are made out to. */
  readonly serviceDid: string
  /** Whose tokens count as the operator's where `moderator` is asked for. */
  readonly moderationDid?: string
}

interface Deps {
  readonly sessions: Sessions
  readonly accounts: AccountStore
  readonly didDocuments: DidDocuments
  readonly appTokens: AppTokens
  /** Called for each request by the owner of an account that is moving in. */
  readonly moves: Pick<Moves, 'step'>
}

export class AuthVerifier {
  readonly #deps: Deps
  readonly #options: AuthVerifierOptions
  readonly #isAdminPassword: (text: string) => boolean

  constructor(deps: Deps, options: AuthVerifierOptions) {
    this.#deps = deps
    this.#options = options
    this.#isAdminPassword = comparerOf(options.adminPassword)
  }

  /**
   * A user: by their own session, or through an OAuth client with the permissions the rules
   * require.
   * @throws AuthError, ScopeMissingError
   */
  async access(exchange: Exchange, rules: AccessRules): Promise<PersonCredentials> {
    const { kind, value } = authorization(exchange.request)
    if (kind === 'dpop') return this.#app(exchange, rules)
    if (kind === 'bearer') return this.#session(exchange, value, rules)
    if (kind === null) throw new AuthError('unauthenticated', undefined, 'AuthMissing')
    throw new AuthError('invalid', 'Unexpected authorization type', 'InvalidToken')
  }

  async #session(
    { request }: Exchange,
    token: string,
    { scopes = SCOPES_STANDARD, ...status }: AccessRules,
  ): Promise<AccessCredentials> {
    const { did, scope, generation } = await this.#verified(this.#deps.sessions.verifyAccess(token))
    const allowed = scopes.find((allowed) => allowed === scope)
    const refused = status.checkTakedown && allowed === 'com.atproto.takendown'
    if (allowed === undefined || refused) throw new AuthError('invalid', 'Bad token scope', 'InvalidToken')
    const account = this.#deps.accounts.byDid(did)
    if (status.checkTakedown || status.checkDeactivated) assertMayAct(account, status)
    // What is said of an account that is gone is for the method to say.
    if (account !== undefined && account.sessionGeneration !== generation) {
      assertMayAct(account, { checkTakedown: true })
      throw new AuthError('invalid', 'Token has been revoked', 'ExpiredToken')
    }
    if (account !== undefined && request.method === 'POST') this.#deps.moves.step(account)
    return { type: 'access', did, scope: allowed, account }
  }

  async #app(
    { request, response }: Exchange,
    { permission, ...status }: AccessRules,
  ): Promise<AppCredentials> {
    const nonce = this.#deps.appTokens.nextNonce()
    if (nonce !== undefined) setExposed(response, 'DPoP-Nonce', nonce)
    const { did, tokenId, scopes } = await this.#deps.appTokens.verify(request).catch((error: unknown) => {
      if (error instanceof AuthError && error.challenge !== undefined) {
        setExposed(response, 'WWW-Authenticate', error.challenge)
      }
      throw error
    })
    const account = this.#deps.accounts.byDid(did)
    if (status.checkTakedown || status.checkDeactivated) assertMayAct(account, status)
    if (account !== undefined && request.method === 'POST') this.#deps.moves.step(account)
    const permissions = new Permissions(scopes)
    permission(permissions, request)
    return { type: 'app', did, permissions, tokenId, account }
  }

  /** @throws AuthError */
  async refresh(
    request: IncomingMessage,
    options: { allowExpired?: boolean } = {},
  ): Promise<RefreshCredentials> {
    const { kind, value: token } = authorization(request)
    if (kind !== 'bearer') throw new AuthError('unauthenticated', undefined, 'AuthMissing')
    const { did, scope, tokenId } = await this.#verified(this.#deps.sessions.verifyRefresh(token, options))
    if (scope !== 'com.atproto.refresh') throw new AuthError('invalid', 'Bad token scope', 'InvalidToken')
    if (tokenId === undefined)
      throw new AuthError('unauthenticated', 'Unexpected missing refresh token id', 'MissingTokenId')
    return { type: 'refresh', did, tokenId }
  }

  /**
   * Credentials where there are some, and null where there are none.
   * @throws AuthError when there are some that do not hold
   */
  async optional(
    exchange: Exchange,
    rules: AccessRules,
  ): Promise<PersonCredentials | AdminCredentials | null> {
    const { kind } = authorization(exchange.request)
    if (kind === null) return null
    return kind === 'basic' ? this.admin(exchange.request) : this.access(exchange, rules)
  }

  /**
   * The operator, by the password.
   * @throws AuthError
   */
  admin(request: IncomingMessage): AdminCredentials {
    const password = adminPasswordOf(request)
    if (password === undefined || !this.#isAdminPassword(password)) {
      throw new AuthError('unauthenticated', undefined)
    }
    return { type: 'admin' }
  }

  /**
   * The operator, or the moderation service by a service token.
   * @throws AuthError, AuthRequiredError
   */
  async moderator(request: IncomingMessage): Promise<AdminCredentials | ServiceCredentials> {
    if (authorization(request).kind !== 'bearer') return this.admin(request)
    const { moderationDid } = this.#options
    if (moderationDid === undefined)
      throw new AuthError('unauthenticated', 'Untrusted issuer', 'UntrustedIss')
    return this.#service(request, [moderationDid, `${moderationDid}#atproto_labeler`])
  }

  /**
   * An external caller, by a service token.
   * @throws AuthError, AuthRequiredError
   */
  service(request: IncomingMessage): Promise<ServiceCredentials> {
    return this.#service(request)
  }

  /**
   * An external caller, by a service token; null without credentials.
   * @throws AuthError, AuthRequiredError
   */
  async optionalService(request: IncomingMessage): Promise<ServiceCredentials | null> {
    const { kind } = authorization(request)
    if (kind === null) return null
    if (kind !== 'bearer') throw new AuthError('unauthenticated', 'Invalid authorization header')
    return this.#service(request)
  }

  /**
   * A person's session, or the same person from elsewhere by a service token, which is one when it
   * names a method.
   * @throws AuthError, AuthRequiredError
   */
  async accessOrService(
    exchange: Exchange,
    rules: AccessRules,
  ): Promise<PersonCredentials | ServiceCredentials> {
    const { kind, value } = authorization(exchange.request)
    if (kind === 'bearer' && namesMethod(value)) return this.#service(exchange.request)
    return this.access(exchange, rules)
  }

  /**
   * A person's session, or the moderation service by a service token.
   * @throws AuthError
   */
  async accessOrModeration(
    exchange: Exchange,
    rules: AccessRules,
  ): Promise<PersonCredentials | ServiceCredentials> {
    const { moderationDid } = this.#options
    const { kind, value } = authorization(exchange.request)
    if (kind !== 'bearer' || moderationDid === undefined || !namesMethod(value)) {
      return this.access(exchange, rules)
    }
    try {
      return await this.#service(exchange.request, [moderationDid, `${moderationDid}#atproto_labeler`])
    } catch (error) {
      // What is wrong with a token that is not the service's is said as for a person's.
      if (error instanceof AuthError || error instanceof AuthRequiredError)
        return this.access(exchange, rules)
      throw error
    }
  }

  /**
   * The account that a caller names, if it may act.
   * @throws AuthError
   */
  account(identifier: string, rules: StatusRules): Account {
    return assertMayAct(this.#deps.accounts.find(identifier), rules)
  }

  async #service(request: IncomingMessage, issuers?: readonly string[]): Promise<ServiceCredentials> {
    const { kind, value } = authorization(request)
    if (kind !== 'bearer') throw new AuthError('unauthenticated', 'missing jwt', 'MissingJwt')
    const rules = { audience: this.#options.serviceDid, method: parseReqNsid(request), issuers }
    return { type: 'service', did: await verifyServiceToken(value, rules, this.#deps.didDocuments) }
  }

  async #verified<T>(claims: Promise<T>): Promise<T> {
    try {
      return await claims
    } catch (error) {
      if (error instanceof TokenError) throw new AuthError('invalid', error.message, error.code)
      throw error
    }
  }
}

/**
 * An account, if there is one and it may act.
 * @throws AuthError
 */
export function assertMayAct(account: Account | undefined, rules: StatusRules): Account {
  if (account === undefined) throw new AuthError('forbidden', 'Account not found', 'AccountNotFound')
  if (rules.checkTakedown && account.takedownRef !== null) {
    throw new AuthError('unauthenticated', 'Account has been taken down', 'AccountTakedown')
  }
  if (rules.checkDeactivated && account.deactivatedAt !== null) {
    throw new AuthError('unauthenticated', 'Account is deactivated', 'AccountDeactivated')
  }
  return account
}

/** Whether a person signed in with the account's own password, and not through an app. */
export const hasFullPassword = (credentials: PersonCredentials): boolean =>
  credentials.type === 'access' && credentials.scope === 'com.atproto.access'

/** Whether a repository's owner or the operator asks. */
export function isOwnerOrAdmin(
  credentials: PersonCredentials | AdminCredentials | null,
  did: string,
): boolean {
  return credentials?.type === 'admin' || credentials?.did === did
}

type Authorization =
  | { readonly kind: 'bearer' | 'basic' | 'dpop'; readonly value: string }
  | { readonly kind: null; readonly value: '' }

function authorization(request: IncomingMessage): Authorization {
  const header = request.headers.authorization
  if (!header) return { kind: null, value: '' }
  const [name = '', value, ...rest] = header.split(' ')
  if (value === undefined || rest.length > 0)
    throw new AuthError('invalid', 'Malformed authorization header', 'InvalidToken')
  const kind = name.toLowerCase()
  if (kind === 'bearer' || kind === 'basic' || kind === 'dpop') return { kind, value }
  throw new AuthError('invalid', `Unsupported authorization type: ${name.slice(0, 40)}`, 'InvalidToken')
}

/** The password of the user `admin`, where the request has one. */
function adminPasswordOf(request: IncomingMessage): string | undefined {
  const [name = '', value = '', ...rest] = (request.headers.authorization ?? '').split(' ')
  if (name.toLowerCase() !== 'basic' || rest.length > 0) return undefined
  const [, password] = /^admin:(.*)$/s.exec(Buffer.from(value, 'base64').toString('utf8')) ?? []
  return password
}

/** Whether a token names a method, as only service tokens do. */
function namesMethod(token: string): boolean {
  try {
    return decodeJwt(token).lxm != null
  } catch {
    return false
  }
}

/** Sets a header that scripts of other origins may read. */
function setExposed(response: ServerResponse, name: string, value: string): void {
  response.setHeader(name, value)
  response.appendHeader('Access-Control-Expose-Headers', name)
}
