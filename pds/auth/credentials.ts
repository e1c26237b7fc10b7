/** Who is asking: what a request's `Authorization` header proves. */

import type { ScopePermissionsTransition as Permissions } from '@atproto/oauth-scopes'
import { DomainError, type ErrorKind } from '#platform/errors.ts'
import type { SessionScope } from '../accounts/sessions.ts'
import type { Account } from '../store/accounts.ts'

/** A person's session. */
export interface AccessCredentials {
  readonly type: 'access'
  readonly did: string
  readonly scope: SessionScope
  /** As it was when the request was authorized; undefined if it was deleted. */
  readonly account: Account | undefined
}

/** An OAuth client that a user authorized, and its permissions. */
export interface AppCredentials {
  readonly type: 'app'
  readonly did: string
  readonly permissions: Permissions
  /** As it was when the request was authorized; undefined if it was deleted. */
  readonly account: Account | undefined
  /** Names the token that was shown. */
  readonly tokenId: string
}

/** A user, by their own session or through an OAuth client. */
export type PersonCredentials = AccessCredentials | AppCredentials

/** A session that asks to be kept alive, or ended. */
export interface RefreshCredentials {
  readonly type: 'refresh'
  readonly did: string
  readonly tokenId: string
}

/** The operator. */
export interface AdminCredentials {
  readonly type: 'admin'
}

/** Another service, or an account elsewhere, that proved itself with a service token. */
export interface ServiceCredentials {
  readonly type: 'service'
  /** A DID, or a DID and the id of a service of it. */
  readonly did: string
}

/**
 * A request that is not authorized. `code` is the XRPC error name, `challenge` the
 * `WWW-Authenticate` header.
 */
export class AuthError extends DomainError {
  override name = 'AuthError'
  readonly challenge: string | undefined
  constructor(kind: ErrorKind, message: string | undefined, code?: string, challenge?: string) {
    super(kind, message, code)
    this.challenge = challenge
  }
}
