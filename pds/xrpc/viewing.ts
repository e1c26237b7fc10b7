/** What the `com.atproto.sync` methods have in common: anybody reads what is active; its owner and the operator read the rest too. */

import type { Account } from '../accounts/status.ts'
import type { AdminCredentials, PersonCredentials } from '../auth/credentials.ts'
import { isOwnerOrAdmin } from '../auth/verifier.ts'
import type { Services } from '../services.ts'

export type Viewer = PersonCredentials | AdminCredentials | null

/** @throws RepoUnavailableError */
export function viewedRepo(accounts: Services['accounts'], did: string, viewer: Viewer): Account {
  return accounts.hosted(did, { evenInactive: isOwnerOrAdmin(viewer, did) })
}
