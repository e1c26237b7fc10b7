/** Account status, as defined by the protocol. https://atproto.com/specs/account */
import type { Account } from '../store/accounts.ts'

export type { Account } from '../store/accounts.ts'

/** What `com.atproto.sync` says of an account: active, or why not. */
export type AccountStatus = 'active' | 'takendown' | 'deactivated'

/** The status that the network sees. A takedown takes precedence over a deactivation. */
export function statusOf(account: Pick<Account, 'deactivatedAt' | 'takedownRef'>): AccountStatus {
  if (account.takedownRef !== null) return 'takendown'
  return account.deactivatedAt === null ? 'active' : 'deactivated'
}
