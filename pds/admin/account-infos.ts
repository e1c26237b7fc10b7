/** Account details for the operator and moderators, whatever the account's status. */
import { INVALID_HANDLE } from '@atproto/syntax'
import type { InviteCode, Invites } from '../accounts/invites.ts'
import type { Account, AccountStore } from '../store/accounts.ts'

/** `com.atproto.admin.defs#accountView`. */
export interface AccountInfo {
  readonly did: string
  readonly handle: string
  readonly email: string | undefined
  readonly indexedAt: string
  readonly emailConfirmedAt: string | undefined
  readonly invitedBy: InviteCode | undefined
  readonly invites: readonly InviteCode[]
  readonly invitesDisabled: boolean
  readonly deactivatedAt: string | undefined
}

export class AccountInfos {
  readonly #accounts: AccountStore
  readonly #invites: Invites

  constructor(accounts: AccountStore, invites: Invites) {
    this.#accounts = accounts
    this.#invites = invites
  }

  of(did: string): AccountInfo | undefined {
    const account = this.#accounts.byDid(did)
    return account && this.#describe(account)
  }

  /**
   * Accounts whose address contains the text, newest first.
   * @param email every account when empty
   * @param cursor from the page before
   */
  search(email: string, limit: number, cursor = Number.MAX_SAFE_INTEGER) {
    const page = this.#accounts.search(email.toLowerCase(), cursor, limit)
    return {
      accounts: page.map((account) => this.#describe(account)),
      cursor: page.length < limit ? undefined : page.at(-1)?.id,
    }
  }

  #describe(account: Account): AccountInfo {
    const { did } = account
    return {
      did,
      handle: account.handle ?? INVALID_HANDLE,
      email: account.email ?? undefined,
      indexedAt: account.createdAt,
      emailConfirmedAt: account.emailConfirmedAt ?? undefined,
      invitedBy: this.#invites.broughtIn(did),
      invites: this.#invites.ofAccount(did),
      invitesDisabled: account.invitesDisabled === 1,
      deactivatedAt: account.deactivatedAt ?? undefined,
    }
  }
}
