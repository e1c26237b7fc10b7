/**
 * Service tokens: short-lived JWTs in which a viewer's account says to this service that a request
 * comes in its name. https://atproto.com/specs/xrpc#inter-service-authentication-jwt
 */
import { AuthRequiredError, UpstreamFailureError, verifyJwt } from '@atproto/xrpc-server'
import { formatDidKey, type PublicKey, parseDidKey, verifySignature } from '#protocol/keys.ts'
import { SERVICE_ID, type SigningKeys, type Viewers } from '../services.ts'

export interface TokenVerifierOptions {
  serviceDid: string
  keys: SigningKeys
  /** Whether an error in finding a key says that there is none, or that it cannot be known now. */
  isUnknownAuthor(error: unknown): boolean
}

const tokenCharactersMax = 8192
const tokenIdCharactersMax = 256
/** A token lives at most an hour, and clocks differ by as much as a minute. */
const tokenSecondsMax = 3600 + 60
/**
 * Tokens remembered so that none is used twice; with more in their lifetime at once, those that
 * expire first are forgotten.
 */
const tokensRememberedMax = 100_000

const ALGORITHMS = new Set(['ES256K', 'ES256'])

export class TokenVerifier implements Viewers {
  readonly #options: TokenVerifierOptions
  /**
   * Tokens that were used, by the minute in which they expire: a token has the same one each time.
   */
  readonly #used = new Map<number, Set<string>>()
  #usedCount = 0
  readonly #texts = new WeakMap<PublicKey, string>()

  constructor(options: TokenVerifierOptions) {
    this.#options = options
  }

  async identify(authorization: string | undefined, method: string): Promise<string | null> {
    if (authorization === undefined) return null
    const [, token] = /^Bearer +(\S+)$/i.exec(authorization.trim()) ?? []
    if (!token || token.length > tokenCharactersMax)
      throw new AuthRequiredError('not a service token', 'BadJwt')
    const { aud, jti } = readClaims(token)
    const { serviceDid } = this.#options
    const audience = aud === `${serviceDid}#${SERVICE_ID}` ? aud : serviceDid
    const { iss, exp } = await verifyJwt(
      token,
      audience,
      method,
      (issuer, again) => this.#keyOf(issuer, again),
      async (key, message, signature, algorithm) =>
        parseDidKey(key).algorithm === algorithm &&
        verifySignature(key, message, signature, { allowMalleable: true }),
    )
    if (exp > Date.now() / 1000 + tokenSecondsMax)
      throw new AuthRequiredError('a token expires within an hour', 'BadJwt')
    if (jti !== undefined) this.#useOnce(`${iss} ${jti}`, exp)
    return didOf(iss)
  }

  async #keyOf(issuer: string, again: boolean): Promise<string> {
    const { keys, isUnknownAuthor } = this.#options
    const did = didOf(issuer)
    try {
      return this.#textOf(again ? await keys.refresh(did) : await keys.get(did))
    } catch (error) {
      if (isUnknownAuthor(error))
        throw new AuthRequiredError('no key is known for the issuer of the token', 'BadJwtIss')
      throw new UpstreamFailureError(
        'the key of the issuer of the token cannot be looked up now',
        undefined,
        { cause: error },
      )
    }
  }

  /**
   * The did:key by which the library hands the key on; its base58 would cost as much as a
   * signature.
   */
  #textOf(key: PublicKey): string {
    const text = this.#texts.get(key) ?? formatDidKey(key)
    this.#texts.set(key, text)
    return text
  }

  /** How many tokens are remembered. */
  get remembered(): number {
    return this.#usedCount
  }

  #useOnce(id: string, expiry: number): void {
    const minute = minuteOf(expiry)
    if (this.#used.get(minute)?.has(id))
      throw new AuthRequiredError('the token was used before', 'JwtReplayed')
    this.#forget()
    const ids = this.#used.get(minute) ?? new Set()
    this.#used.set(minute, ids.add(id))
    this.#usedCount++
  }

  /** Forgets what has expired, and what expires first where more is remembered than may be. */
  #forget(): void {
    const now = minuteOf(Date.now() / 1000)
    for (const [minute, ids] of this.#used) {
      if (minute >= now) continue
      this.#used.delete(minute)
      this.#usedCount -= ids.size
    }
    if (this.#usedCount < tokensRememberedMax) return
    const first = Math.min(...this.#used.keys())
    const ids = this.#used.get(first)
    const [oldest] = ids ?? []
    if (ids === undefined || oldest === undefined) return
    ids.delete(oldest)
    this.#usedCount--
    if (ids.size === 0) this.#used.delete(first)
  }
}

function minuteOf(seconds: number): number {
  return Math.floor(seconds / 60)
}

/** The claims that the library does not look at, and whether it can read the token at all. */
function readClaims(token: string): { aud: unknown; jti?: string } {
  const [head = '', body = ''] = token.split('.')
  const header = parse(head)
  const claims = parse(body)
  const { jti } = claims
  if (typeof header.alg !== 'string' || !ALGORITHMS.has(header.alg)) {
    throw new AuthRequiredError('a token is signed with ES256K or ES256', 'BadJwt')
  }
  if (jti !== undefined && (typeof jti !== 'string' || jti.length > tokenIdCharactersMax)) {
    throw new AuthRequiredError('a token with a jti that is no short text', 'BadJwt')
  }
  return { aud: claims.aud, jti }
}

function parse(part: string): Record<string, unknown> {
  try {
    const value = JSON.parse(Buffer.from(part, 'base64url').toString())
    if (typeof value === 'object' && value !== null) return value
  } catch {
    // Said below.
  }
  throw new AuthRequiredError('poorly formatted jwt', 'BadJwt')
}

/** The DID of an issuer, who may be a service of it. */
function didOf(issuer: string): string {
  return issuer.split('#', 1)[0] as string
}
