/**
 * The authorisation server: `@atproto/oauth-provider` over stores of ours. The protocol (metadata, PAR, PKCE, DPoP, tokens, clients) and
 * the pages are the library's. https://atproto.com/specs/oauth
 */
import { createSecretKey } from 'node:crypto'
import type { LexResolver } from '@atproto/lex-resolver'
import type { OAuthHooks } from '@atproto/oauth-provider/hooks'
import { AccessTokenMode, JoseKey, OAuthProvider } from '@atproto/oauth-provider/provider'
import type { Fetch } from '#platform/fetch.ts'
import type { Store } from '../store/store.ts'
import { ProviderAccounts, type ProviderAccountsParts } from './account-store.ts'
import { ProviderDevices } from './device-store.ts'
import { ProviderLexicons } from './lexicon-store.ts'
import { ProviderRequests } from './request-store.ts'
import { ProviderTokens } from './token-store.ts'

export type { OAuthProvider }

/** A link at the foot of the pages. `rel` as in HTML. */
export interface PageLink {
  readonly title: Record<string, string>
  readonly href: string
  readonly rel?: 'canonical' | 'terms-of-service' | 'privacy-policy' | 'help'
}

export interface ProviderOptions {
  readonly publicUrl: string
  /** Signs access tokens; the same as for sessions of our own, so that both go on when accounts are adopted. */
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

export async function createProvider(
  parts: ProviderAccountsParts & { readonly store: Store },
  options: ProviderOptions,
): Promise<OAuthProvider> {
  const { branding } = options
  const key = createSecretKey(Buffer.from(options.jwtSecret))
  return new OAuthProvider({
    ...options.hooks,
    issuer: options.publicUrl,
    keyset: [await JoseKey.fromKeyLike(key, undefined, 'HS256')],
    dpopSecret: options.dpopSecret,
    // Tokens are looked up at every use, so that one that was revoked is refused at once.
    accessTokenMode: AccessTokenMode.stateful,
    metadata: { protected_resources: [new URL(options.publicUrl).origin] },
    safeFetch: options.fetch,
    lexResolver: options.lexicons,
    accountStore: new ProviderAccounts(parts),
    requestStore: new ProviderRequests(parts.store),
    tokenStore: new ProviderTokens(parts.store, parts.descriptions),
    deviceStore: new ProviderDevices(parts.store),
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
