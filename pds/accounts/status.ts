/** Whether an account is active, in the words that the network is told. https://atproto.com/specs/account */
import type { Account } from '../store/accounts.ts'

export type { Account } from '../store/accounts.ts'

/** What `com.atproto.sync` says of an account: active, or why not. */
export type AccountStatus = 'active' | 'takendown' | 'deactivated'

/** The status that the rest of the network is told. A takedown outweighs a deactivation. */
export function statusOf(account: Pick<Account, 'deactivatedAt' | 'takedownRef'>): AccountStatus {
  if (account.takedownRef !== null) return 'takendown'
  return account.deactivatedAt === null ? 'active' : 'deactivated'
}
