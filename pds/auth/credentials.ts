/** Who is asking: what a request's `Authorization` header proves. */
import type { SessionScope } from '../accounts/sessions.ts'

/** A person's session. */
export interface AccessCredentials {
  readonly type: 'access'
  readonly did: string
  readonly scope: SessionScope
}

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

/** A request that is not let in. `code` is the XRPC error name. */
export class AuthError extends Error {
  override name = 'AuthError'
  readonly status: 400 | 401 | 403
  readonly code: string | undefined
  constructor(status: 400 | 401 | 403, message: string | undefined, code?: string) {
    super(message)
    this.status = status
    this.code = code
  }
}
