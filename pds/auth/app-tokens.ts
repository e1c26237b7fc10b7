/** Verification of OAuth access tokens, by their issuer. */
import type { IncomingMessage } from 'node:http'

/** What a token says, once it and the proof that the app holds its key are checked. */
export interface AppTokenClaims {
  readonly did: string
  readonly tokenId: string
  /** What the app was allowed, those of permission sets written out. */
  readonly scopes: readonly string[]
}

export interface AppTokens {
  /** What the next proof must contain; every answer says it. Left out: nothing. */
  nextNonce(): string | undefined
  /**
   * What the token of a request says. https://datatracker.ietf.org/doc/html/rfc9449
   * @throws AuthError, with a challenge where the app can do better
   */
  verify(request: IncomingMessage): Promise<AppTokenClaims>
}
