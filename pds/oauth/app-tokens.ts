/** The tokens of apps, checked by the library that issued them. */
import type { IncomingMessage } from 'node:http'
import { OAuthError, WWWAuthenticateError } from '@atproto/oauth-provider/errors'
import type { OAuthVerifier } from '@atproto/oauth-provider/verifier'
import type { ErrorKind } from '#platform/errors.ts'
import type { AppTokenClaims, AppTokens } from '../auth/app-tokens.ts'
import { AuthError } from '../auth/credentials.ts'

/** What the library's statuses say of a token. */
const KINDS: ReadonlyMap<number, ErrorKind> = new Map([
  [401, 'unauthenticated'],
  [403, 'forbidden'],
])

/** Without it, a token is of no use here. */
const SCOPE = 'atproto'

export class ProviderAppTokens implements AppTokens {
  readonly #verifier: OAuthVerifier
  readonly #publicUrl: string
  readonly #audience: string

  /** @param options `serviceDid`: who tokens are made out to */
  constructor(verifier: OAuthVerifier, { publicUrl, serviceDid }: { publicUrl: string; serviceDid: string }) {
    this.#verifier = verifier
    this.#publicUrl = publicUrl
    this.#audience = serviceDid
  }

  nextNonce(): string | undefined {
    return this.#verifier.nextDpopNonce()
  }

  async verify({ method = 'GET', url = '/', headers }: IncomingMessage): Promise<AppTokenClaims> {
    try {
      const {
        sub,
        jti,
        scope = '',
      } = await this.#verifier.authenticateRequest(method, new URL(url, this.#publicUrl), headers, {
        audience: [this.#audience],
        scope: [SCOPE],
      })
      return { did: sub, tokenId: jti, scopes: scope.split(' ') }
    } catch (error) {
      if (!(error instanceof OAuthError)) throw error
      const challenge = error instanceof WWWAuthenticateError ? error.wwwAuthenticateHeader : undefined
      throw new AuthError(
        KINDS.get(error.status) ?? 'invalid',
        error.error_description,
        error.error,
        challenge,
      )
    }
  }
}
