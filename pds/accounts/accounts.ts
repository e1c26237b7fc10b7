/** Finds, lists and deletes accounts. Creation, sign-in and handles have their own files. */

import type { Account } from '../store/accounts.ts'
import type { Store } from '../store/store.ts'
import type { EmailTokens } from './credentials/email-tokens.ts'
import type { Deletions } from './deletions.ts'
import { AccountError, RepoUnavailableError } from './errors.ts'
import { assertPassword, assertTriable } from './sign-in.ts'
import { statusOf } from './status.ts'

/** Accounts that are looked at for one page of those with a collection, and how many at once. */
const COLLECTION_ACCOUNTS_MAX = 5_000
const COLLECTION_PAGE_ACCOUNTS = 500

interface Deps {
  readonly store: Store
  readonly deletions: Deletions
  readonly emailTokens: EmailTokens
}

export class Accounts {
  readonly #deps: Deps

  constructor(deps: Deps) {
    this.#deps = deps
  }

  /** The account that a DID or a handle names, whatever its status. */
  find(identifier: string): Account | undefined {
    return this.#deps.store.accounts.find(identifier)
  }

  /**
   * The account whose repository is asked for by DID or handle.
   * @param evenInactive for the owner and the operator: also when it is deactivated or taken down
   * @throws RepoUnavailableError
   */
  hosted(identifier: string, { evenInactive = false } = {}): Account {
    const account = this.find(identifier)
    if (account === undefined) {
      throw new RepoUnavailableError('RepoNotFound', `Could not find repo for DID: ${identifier}`)
    }
    if (evenInactive) return account
    if (account.takedownRef !== null) {
      throw new RepoUnavailableError('RepoTakendown', `Repo has been takendown: ${identifier}`)
    }
    if (account.deactivatedAt !== null) {
      throw new RepoUnavailableError('RepoDeactivated', `Repo has been deactivated: ${identifier}`)
    }
    return account
  }

  /** Accounts with a repository, in order of creation. */
  list(after: { createdAt: string; did: string }, limit: number) {
    return this.#deps.store.repoListings.list(after, limit)
  }

  /**
   * Active accounts with records of a collection, ordered by id, after `after`. Examines a limited
   * number of accounts, so a page may be short or empty although more follow.
   * @returns `next`: where to continue; undefined at the end
   */
  withCollection(
    collection: string,
    after: number,
    limit: number,
  ): { dids: string[]; next: number | undefined } {
    const dids: string[] = []
    let last = after
    for (let seen = 0; seen < COLLECTION_ACCOUNTS_MAX; seen += COLLECTION_PAGE_ACCOUNTS) {
      const page = this.#deps.store.repoListings.pageWithCollection(
        collection,
        last,
        COLLECTION_PAGE_ACCOUNTS,
      )
      for (const account of page) {
        last = account.id
        if (account.hasCollection === 1 && statusOf(account) === 'active') dids.push(account.did)
        if (dids.length === limit) return { dids, next: last }
      }
      if (page.length < COLLECTION_PAGE_ACCOUNTS) return { dids, next: undefined }
    }
    return { dids, next: last }
  }

  /**
   * Deletes an account on its owner's word.
   * @param code the mailed one
   * @throws AccountError, LoginError, EmailTokenError
   */
  async delete(did: string, password: string, code: string): Promise<void> {
    assertTriable(password)
    const account = this.#deps.store.accounts.byDid(did)
    if (account === undefined) throw new AccountError('account not found')
    await assertPassword(this.#deps.store, account.id, password)
    await this.#deps.store.db.write((tx) => {
      // Twice at once, it is deleted once.
      if (this.#deps.store.accounts.byId(account.id) === undefined)
        throw new AccountError('account not found')
      this.#deps.emailTokens.assertValid('delete_account', account.id, code)
      this.#deps.deletions.begin(tx, account)
    })
  }

  /** Deletes an account on the operator's word; nothing when there is none. */
  async remove(did: string): Promise<void> {
    await this.#deps.store.db.write((tx) => {
      const account = this.#deps.store.accounts.byDid(did)
      if (account !== undefined) this.#deps.deletions.begin(tx, account)
    })
  }
}
