/**
 * Sessions: an access token, valid by its signature while it carries the account's current session
 * generation, and a refresh token, which is looked up. The tokens have the form of `@atproto/pds`,
 * so that those it issued keep working here: they carry no generation, which means the first.
 */

import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import { isValidDid } from '@atproto/syntax'
import { decodeJwt, errors, type JWTPayload, jwtVerify, SignJWT } from 'jose'
import { digestOf, sealUnder, unsealUnder } from '#platform/sealing.ts'
import type { Tx } from '#platform/sqlite.ts'
import { HOUR_MS } from '#platform/time.ts'
import { type Account, FIRST_SESSION_GENERATION } from '../store/accounts.ts'
import type { AppPassword } from '../store/app-passwords.ts'
import type { RefreshToken, SessionStore } from '../store/sessions.ts'
import type { Store } from '../store/store.ts'

/** What a token's bearer may do. */
export type SessionScope =
  | 'com.atproto.access'
  | 'com.atproto.refresh'
  | 'com.atproto.appPass'
  | 'com.atproto.appPassPrivileged'
  | 'com.atproto.takendown'
  | 'com.atproto.signupQueued'

/** The tokens of a session. */
export interface SessionTokens {
  readonly accessJwt: string
  readonly refreshJwt: string
}

/** What a token says, once its signature, type, audience and time are checked. */
export interface TokenClaims {
  readonly did: string
  readonly scope: string | undefined
  /** The account's generation of sessions when the token was issued. */
  readonly generation: number
  readonly tokenId: string | undefined
}

/** A token that is not accepted. */
export class TokenError extends Error {
  override name = 'TokenError'
  readonly code: 'ExpiredToken' | 'InvalidToken'
  constructor(code: 'ExpiredToken' | 'InvalidToken', message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

const ACCESS_MINUTES = 120
const REFRESH_DAYS = 90
const REFRESH_GRACE_HOURS = 2
const TOKEN_ID_BYTES = 32
/** Access tokens whose signature was checked, so that each is checked once. */
const VERIFIED_MAX = 20_000

const ACCESS_TYPE = 'at+jwt'
/** How long ago a token may have expired where that does not matter. */
const EXPIRED_SECONDS_MAX = 100 * 365 * 86_400
const REFRESH_TYPE = 'refresh+jwt'

/** Whose session it is, and the generation that was the account's when the password was checked. */
export type SessionOwner = Pick<Account, 'did' | 'sessionGeneration'>

export class Sessions {
  readonly #store: Store
  readonly #sessions: SessionStore
  readonly #key: KeyObject
  readonly #audience: string
  readonly #verified = new Map<string, { claims: TokenClaims; expiresAtMs: number }>()

  /** @param options `jwtSecret` signs the tokens; `serviceDid` is their audience */
  constructor(store: Store, { jwtSecret, serviceDid }: { jwtSecret: string; serviceDid: string }) {
    this.#store = store
    this.#sessions = store.sessions
    this.#key = createSecretKey(Buffer.from(jwtSecret))
    this.#audience = serviceDid
  }

  /** Tokens of a new session; `keep` them in the transaction that begins it. */
  issue(owner: SessionOwner, scope: SessionScope = 'com.atproto.access'): Promise<SessionTokens> {
    return this.#tokens(owner, scope, newTokenId())
  }

  /** Keeps the refresh token of a session that begins. */
  keep(tx: Tx, account: number, { refreshJwt }: SessionTokens, appPassword?: AppPassword): void {
    this.#sessions.insert(tx, refreshRow(account, refreshJwt, appPassword?.name))
  }

  /**
   * Starts a session. That of a taken down account cannot be refreshed.
   * @param account as it was when the password was checked
   * @param appPassword the app password used, if any
   * @returns null when the account's sessions were ended since
   */
  async create(
    account: SessionOwner & Pick<Account, 'id' | 'takedownRef'>,
    appPassword?: AppPassword,
  ): Promise<SessionTokens | null> {
    if (account.takedownRef !== null) return this.issue(account, 'com.atproto.takendown')
    const tokens = await this.issue(account, scopeOf(appPassword))
    return this.#store.db.write((tx) => {
      const current = this.#store.accounts.byId(account.id)
      if (current?.sessionGeneration !== account.sessionGeneration) return null
      this.keep(tx, account.id, tokens, appPassword)
      return tokens
    })
  }

  /** Signs an account out everywhere, the browsers at its pages too. Its app passwords stay. */
  async endAll({ id }: Pick<Account, 'id'>): Promise<void> {
    await this.#store.db.write((tx) => {
      this.#store.endSessions(tx, id)
      this.#store.devices.deleteOfAccount(tx, id)
    })
  }

  /**
   * Exchanges a refresh token for its successor. Within the grace period the same token returns the
   * same successor, so that a client can retry after a lost response.
   * @returns null when the token was revoked or has expired
   */
  async rotate(account: SessionOwner & Pick<Account, 'id'>, tokenId: string): Promise<SessionTokens | null> {
    const id = digestOf(tokenId)
    const token = this.#sessions.get(id)
    if (token === undefined || token.account !== account.id) return null
    const name = token.appPasswordName
    const appPassword = name === null ? undefined : this.#store.appPasswords.byName(account.id, name)
    if (name !== null && appPassword === undefined) return null
    const nextId = token.nextId === null ? newTokenId() : unsealUnder(tokenId, token.nextId)
    const sealedNext = token.nextId ?? sealUnder(tokenId, nextId)
    const tokens = await this.#tokens(account, scopeOf(appPassword), nextId)
    const next = refreshRow(account.id, tokens.refreshJwt, appPassword?.name)
    const rotated = await this.#store.db.write((tx): 'done' | 'over' | 'overtaken' => {
      this.#sessions.deleteExpired(tx, account.id)
      const current = this.#sessions.get(id)
      if (current === undefined) return 'over'
      if (current.nextId !== null && current.nextId !== sealedNext) return 'overtaken'
      const graceEndsMs = Date.parse(tx.now) + REFRESH_GRACE_HOURS * HOUR_MS
      const expiresAt = new Date(Math.min(graceEndsMs, Date.parse(current.expiresAt))).toISOString()
      this.#sessions.rotate(tx, id, expiresAt, sealedNext)
      this.#sessions.insert(tx, next)
      return 'done'
    })
    // Two exchanges at once: the one that came second gives the successor that the first one chose.
    if (rotated === 'overtaken') return this.rotate(account, tokenId)
    return rotated === 'done' ? tokens : null
  }

  /** Ends a session. */
  async revoke(tokenId: string): Promise<void> {
    await this.#store.db.write((tx) => this.#sessions.delete(tx, digestOf(tokenId)))
  }

  /**
   * What an access token says.
   * @throws TokenError
   */
  async verifyAccess(token: string): Promise<TokenClaims> {
    const verified = this.#verified.get(token)
    if (verified !== undefined && verified.expiresAtMs > Date.now()) return verified.claims
    const payload = await this.#verify(token, ACCESS_TYPE)
    const claims = claimsOf(payload)
    if (this.#verified.size >= VERIFIED_MAX) this.#verified.clear()
    this.#verified.set(token, { claims, expiresAtMs: (payload.exp ?? 0) * 1000 })
    return claims
  }

  /**
   * What a refresh token says. Whether it still may be used is for `rotate`.
   * @throws TokenError
   */
  async verifyRefresh(token: string, { allowExpired = false } = {}): Promise<TokenClaims> {
    return claimsOf(await this.#verify(token, REFRESH_TYPE, allowExpired))
  }

  async #verify(token: string, typ: string, allowExpired = false): Promise<JWTPayload> {
    try {
      const options = {
        audience: this.#audience,
        typ,
        ...(allowExpired && { clockTolerance: EXPIRED_SECONDS_MAX }),
      }
      return (await jwtVerify(token, this.#key, options)).payload
    } catch (cause) {
      if (cause instanceof errors.JWTExpired)
        throw new TokenError('ExpiredToken', 'Token has expired', { cause })
      throw new TokenError('InvalidToken', 'Token could not be verified', { cause })
    }
  }

  async #tokens(
    { did, sessionGeneration }: SessionOwner,
    scope: SessionScope,
    tokenId: string,
  ): Promise<SessionTokens> {
    const sign = (claims: JWTPayload, typ: string, lifetime: string) =>
      new SignJWT(claims)
        .setProtectedHeader({ typ, alg: 'HS256' })
        .setAudience(this.#audience)
        .setSubject(did)
        .setIssuedAt()
        .setExpirationTime(lifetime)
        .sign(this.#key)
    const [accessJwt, refreshJwt] = await Promise.all([
      sign({ scope, ...generationClaim(sessionGeneration) }, ACCESS_TYPE, `${ACCESS_MINUTES}mins`),
      sign({ scope: 'com.atproto.refresh', jti: tokenId }, REFRESH_TYPE, `${REFRESH_DAYS}days`),
    ])
    return { accessJwt, refreshJwt }
  }
}

/** The first is named by no claim: such a token is one that `@atproto/pds` would issue. */
const generationClaim = (generation: number): JWTPayload =>
  generation === FIRST_SESSION_GENERATION ? {} : { gen: generation }

const newTokenId = (): string => randomBytes(TOKEN_ID_BYTES).toString('base64')

function scopeOf(appPassword: AppPassword | undefined): SessionScope {
  if (appPassword === undefined) return 'com.atproto.access'
  return appPassword.privileged ? 'com.atproto.appPassPrivileged' : 'com.atproto.appPass'
}

function refreshRow(
  account: number,
  refreshJwt: string,
  appPasswordName: string | null = null,
): RefreshToken {
  const { jti, exp } = decodeJwt(refreshJwt)
  if (jti === undefined || exp === undefined)
    throw new Error('a refresh token of our own lacks its id or its end')
  return {
    account,
    id: digestOf(jti),
    expiresAt: new Date(exp * 1000).toISOString(),
    nextId: null,
    appPasswordName,
  }
}

/** A service token or a key-bound token signed with the same secret is no session token. */
function claimsOf({
  sub,
  aud,
  scope,
  jti,
  lxm,
  cnf,
  gen = FIRST_SESSION_GENERATION,
}: JWTPayload): TokenClaims {
  const wellFormed =
    lxm === undefined &&
    cnf === undefined &&
    typeof sub === 'string' &&
    isValidDid(sub) &&
    typeof aud === 'string' &&
    aud.startsWith('did:') &&
    (jti === undefined || typeof jti === 'string') &&
    typeof gen === 'number'
  if (!wellFormed) throw new TokenError('InvalidToken', 'Malformed token')
  return {
    did: sub,
    scope: typeof scope === 'string' ? scope : undefined,
    generation: gen,
    tokenId: jti,
  }
}
