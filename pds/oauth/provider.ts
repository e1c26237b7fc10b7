/**
 * The authorization server: `@atproto/oauth-provider` over our stores. The protocol (metadata, PAR,
 * PKCE, DPoP, tokens, clients) and the pages are the library's. https://atproto.com/specs/oauth
 */
import { createSecretKey } from 'node:crypto'
import type { LexResolver } from '@atproto/lex-resolver'
import { OAuthError } from '@atproto/oauth-provider/errors'
import type { OAuthHooks } from '@atproto/oauth-provider/hooks'
import { AccessTokenMode, JoseKey, OAuthProvider } from '@atproto/oauth-provider/provider'
import type { Fetch } from '#platform/fetch.ts'
import type { Store } from '../store/store.ts'
import { ProviderAccounts, type ProviderAccountsDeps } from './account-store.ts'
import { ProviderDevices } from './device-store.ts'
import { ProviderLexicons } from './lexicon-store.ts'
import { ProviderRequests } from './request-store.ts'
import { ProviderTokens } from './token-store.ts'
import type { Visits } from './visits.ts'

export type { OAuthProvider }

/** A link at the foot of the pages. `rel` as in HTML. */
export interface PageLink {
  readonly title: Record<string, string>
  readonly href: string
  readonly rel?: 'canonical' | 'terms-of-service' | 'privacy-policy' | 'help'
}

export interface ProviderOptions {
  readonly publicUrl: string
  /**
   * Signs access tokens, as for our own sessions, so that both survive when accounts are adopted.
   */
  readonly jwtSecret: string
  /** 32 bytes; undefined: new ones at every start. */
  readonly dpopSecret: Buffer | undefined
  readonly inviteRequired: boolean
  readonly handleDomains: readonly string[]
  readonly hcaptcha: { siteKey: string; secretKey: string; tokenSalt: string } | undefined
  readonly trustedClients: readonly string[]
  readonly branding: {
    readonly name: string
    readonly logoUrl: string | undefined
    readonly colors: Readonly<
      Record<'primary' | 'error' | 'warning' | 'info' | 'success', string | undefined>
    >
    readonly backgroundLightUrl: string | undefined
    readonly backgroundDarkUrl: string | undefined
    readonly links: readonly PageLink[]
  }
  /** For addresses that clients name. */
  readonly fetch: Fetch
  readonly lexicons: LexResolver
  /** What is called before the pages do something, and may refuse it: `limits.ts`. */
  readonly hooks: OAuthHooks
}

type RevokeArgs = Parameters<OAuthProvider['revoke']>
type RefreshArgs = Parameters<OAuthProvider['refreshTokenGrant']>

/** A token was not revoked, and its session goes on. */
export class NotRevokedError extends OAuthError {
  constructor(cause: unknown) {
    const [code, description, status] =
      cause instanceof OAuthError
        ? [cause.error, cause.error_description, cause.statusCode]
        : ['server_error', 'The token was not revoked. Try again later.', 500]
    super(code, description, status, cause)
  }
}

/** The sign-in that a page's token stands for ended. */
class AccessDeniedError extends OAuthError {
  constructor() {
    super('access_denied', 'This sign-in has ended', 401)
  }
}

/**
 * The library's provider, with three differences: a client may repeat a token exchange whose
 * response was lost, any holder of a token may revoke it, and sign-ins for a single visit are
 * noted.
 */
class ForgivingProvider extends OAuthProvider {
  readonly #tokens: ProviderTokens

  constructor(
    tokens: ProviderTokens,
    visits: Visits,
    options: ConstructorParameters<typeof OAuthProvider>[0],
  ) {
    super({ ...options, tokenStore: tokens })
    this.#tokens = tokens
    // This token, kept by the page, is the only trace of such a sign-in. It ends with the account's
    // sessions, even during an authorization.
    const create = this.signer.createEphemeralToken.bind(this.signer)
    this.signer.createEphemeralToken = (payload) => {
      if (payload.requestUri === undefined) visits.begin(payload.deviceId, payload.sub)
      return create({ ...payload, generation: visits.generationOf(payload.sub) })
    }
    const verify = this.signer.verifyEphemeralToken.bind(this.signer)
    this.signer.verifyEphemeralToken = async (...args) => {
      const verified = await verify(...args)
      const { sub: did, generation } = verified.payload as { sub: string; generation?: unknown }
      if (!visits.isCurrent({ did, generation })) throw new AccessDeniedError()
      return verified
    }
  }

  /**
   * Ends the session of a token. It requires no DPoP proof: a holder of the token who revokes it
   * does no harm, and a proof that is sent has the right key. An unknown token is ignored, without
   * an error.
   * https://www.rfc-editor.org/rfc/rfc7009#section-2
   * @throws NotRevokedError when the session was not ended
   */
  override async revoke(...args: RevokeArgs): Promise<void> {
    try {
      await this.#revoke(...args)
    } catch (error) {
      throw new NotRevokedError(error)
    }
  }

  async #revoke(...[credentials, { token }, proof]: RevokeArgs): Promise<void> {
    const { client, clientAuth } = await this.authenticateClient(credentials, proof, {
      allowMissingDpopProof: true,
    })
    const found = await this.#findToken(token)
    if (found === null) return
    const { dpop_jkt: jkt } = found.data.parameters
    const assumed = jkt === undefined ? null : ({ jkt } as NonNullable<RevokeArgs[2]>)
    await this.compareClientAuth(client, clientAuth, proof ?? assumed, found.data)
    await this.tokenManager.deleteToken(found.id)
  }

  async #findToken(token: RevokeArgs[1]['token']): ReturnType<OAuthProvider['tokenManager']['findToken']> {
    try {
      return await this.tokenManager.findToken(token)
    } catch (error) {
      if (error instanceof OAuthError || isUnverified(error)) return null
      throw error
    }
  }

  protected override refreshTokenGrant(...args: RefreshArgs): ReturnType<OAuthProvider['refreshTokenGrant']> {
    const [client, clientAuth, , { refresh_token: refreshToken }, dpopProof] = args
    return this.#tokens.exchange(refreshToken, async () => {
      const given = this.#tokens.successorOf(refreshToken)
      // A request with another key takes the usual path, which ends the session.
      if (given === undefined || !(await this.#isSame(client, clientAuth, dpopProof, given.token.data)))
        return super.refreshTokenGrant(...args)
      const { id, account, data } = given.token
      const { parameters, updatedAt, expiresAt } = data
      const manager = this.tokenManager
      const scope = data.scope as Parameters<(typeof manager)['createAccessToken']>[6]
      const accessToken = await manager['createAccessToken'](
        id,
        client,
        account,
        parameters,
        updatedAt,
        expiresAt,
        scope,
      )
      const type = parameters.dpop_jkt === undefined ? 'Bearer' : 'DPoP'
      return manager['buildTokenResponse'](
        type,
        accessToken,
        given.refreshToken,
        expiresAt,
        account.did,
        scope,
      )
    })
  }

  async #isSame(...args: Parameters<OAuthProvider['compareClientAuth']>): Promise<boolean> {
    try {
      await this.compareClientAuth(...args)
      return true
    } catch {
      return false
    }
  }
}

/** Whether an error says that a JWT cannot be verified. */
const isUnverified = (error: unknown): boolean =>
  String((error as { code?: unknown } | null)?.code).startsWith('ERR_JW')

export async function createProvider(
  parts: Omit<ProviderAccountsDeps, 'devices'> & { readonly store: Store; readonly keySecret: Buffer },
  options: ProviderOptions,
): Promise<OAuthProvider> {
  const { branding } = options
  const devices = new ProviderDevices(parts.store, parts.keySecret)
  const key = createSecretKey(Buffer.from(options.jwtSecret))
  const tokens = new ProviderTokens(parts.store, parts.descriptions)
  return new ForgivingProvider(tokens, parts.visits, {
    ...options.hooks,
    issuer: options.publicUrl,
    keyset: [await JoseKey.fromKeyLike(key, undefined, 'HS256')],
    dpopSecret: options.dpopSecret,
    // Tokens are looked up at every use, so that one that was revoked is refused at once.
    accessTokenMode: AccessTokenMode.stateful,
    metadata: { protected_resources: [new URL(options.publicUrl).origin] },
    safeFetch: options.fetch,
    lexResolver: options.lexicons,
    accountStore: new ProviderAccounts({ ...parts, devices }),
    requestStore: new ProviderRequests(parts.store),
    deviceStore: devices,
    lexiconStore: new ProviderLexicons(parts.store),
    inviteCodeRequired: options.inviteRequired,
    availableUserDomains: [...options.handleDomains],
    hcaptcha: options.hcaptcha,
    branding: {
      name: branding.name,
      logo: branding.logoUrl,
      colors: branding.colors,
      background: { light: branding.backgroundLightUrl, dark: branding.backgroundDarkUrl },
      links: branding.links.map((link) => ({ ...link })),
    },
    getClientInfo: (clientId) => ({ isTrusted: options.trustedClients.includes(clientId) }),
  })
}
