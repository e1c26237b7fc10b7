/**
 * The permissions that an OAuth client needs, method by method.
 * https://atproto.com/specs/permission
 *
 * Every method that takes a user's credentials names its rule. What depends on the input (such as
 * the collection of a write) is checked by the method itself, against the credentials' permissions.
 */
import type { IncomingMessage } from 'node:http'
import { ScopePermissionsTransition as Permissions } from '@atproto/oauth-scopes'
import { parseReqEncoding } from '@atproto/xrpc-server'
import { AuthError } from './credentials.ts'

export { Permissions }

/**
 * Throws when the permissions do not suffice for a request: ScopeMissingError, or AuthError where
 * none ever do.
 */
export type PermissionRule = (permissions: Permissions, request: IncomingMessage) => void

/** Any OAuth client; the method checks what depends on the input. */
export const anyApp: PermissionRule = () => undefined

/** No app, whatever it was allowed. */
export const noApp: PermissionRule = () => {
  throw new AuthError('forbidden', 'OAuth credentials are not supported for this endpoint')
}

/** No app: the account page is the place. */
export const accountPageOnly: PermissionRule = () => {
  throw new AuthError(
    'forbidden',
    'Use the account manager interface to update email address associated with an account',
  )
}

export const managesEmail: PermissionRule = (permissions) =>
  permissions.assertAccount({ attr: 'email', action: 'manage' })

/** Deactivates, activates, and asks to delete the account. */
export const managesStatus: PermissionRule = (permissions) =>
  permissions.assertAccount({ attr: 'status', action: 'manage' })

export const managesRepo: PermissionRule = (permissions) =>
  permissions.assertAccount({ attr: 'repo', action: 'manage' })

/** A blob of the type that the request says. */
export const uploadsBlob: PermissionRule = (permissions, request) =>
  permissions.assertBlob({ mime: parseReqEncoding(request) })

export const changesHandle: PermissionRule = (permissions) => permissions.assertIdentity({ attr: 'handle' })

export const changesIdentity: PermissionRule = (permissions) => permissions.assertIdentity({ attr: '*' })
