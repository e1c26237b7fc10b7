/**
 * What methods that read repositories have in common: anybody reads what is active; its owner and
 * the operator read the rest too.
 */

import { type Account, statusOf } from '../accounts/status.ts'
import { forbidCaching } from '../auth/caching.ts'
import type { AdminCredentials, PersonCredentials } from '../auth/credentials.ts'
import { anyApp } from '../auth/permissions.ts'
import { isOwnerOrAdmin, SCOPES_EVEN_TAKENDOWN } from '../auth/verifier.ts'
import type { Services } from '../services.ts'
import type { Call } from './endpoint.ts'

export type Viewer = PersonCredentials | AdminCredentials | null

/** @throws RepoUnavailableError */
export function viewedRepo(accounts: Services['accounts'], did: string, viewer: Viewer): Account {
  return accounts.hosted(did, { evenInactive: isOwnerOrAdmin(viewer, did) })
}

/**
 * The account whose records a method without required credentials reads: credentials count if the
 * account is not active. Undefined if there is no such account here.
 * @throws RepoUnavailableError, AuthError
 */
export async function readRepo(
  { auth, accounts }: Pick<Services, 'auth' | 'accounts'>,
  repo: string,
  exchange: Pick<Call<unknown, unknown, unknown>, 'request' | 'response'>,
): Promise<Account | undefined> {
  const account = accounts.find(repo)
  if (account === undefined || statusOf(account) === 'active') return account
  forbidCaching(exchange.response)
  const viewer = await auth.optional(exchange, { permission: anyApp, scopes: SCOPES_EVEN_TAKENDOWN })
  return accounts.hosted(repo, { evenInactive: isOwnerOrAdmin(viewer, account.did) })
}
