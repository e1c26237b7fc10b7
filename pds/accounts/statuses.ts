/**
 * Account status changes: owners deactivate and activate, the operator takes down. Each change
 * emits an #account event.
 */
import { INVALID_HANDLE } from '@atproto/syntax'
import type { Tx } from '#platform/sqlite.ts'
import type { Firehose } from '../firehose/firehose.ts'
import type { Exports } from '../repo/export.ts'
import type { RepoWriter } from '../repo/write.ts'
import type { Account } from '../store/accounts.ts'
import type { Store } from '../store/store.ts'
import type { DueAccounts } from './due-accounts.ts'
import { AccountError } from './errors.ts'
import type { Identities } from './identities.ts'
import { statusOf } from './status.ts'

/** Whether something is taken down, and why: any text of the moderators'. */
export interface Takedown {
  readonly applied: boolean
  readonly ref?: string
}

export interface Deactivation {
  readonly deleteAfter?: Date
  readonly endApps?: { readonly except?: string }
}

interface Deps {
  readonly store: Store
  readonly firehose: Firehose
  readonly writer: RepoWriter
  readonly exports: Exports
  readonly dueAccounts: DueAccounts
  readonly identities: Identities
}

export class Standing {
  readonly #deps: Deps

  constructor(deps: Deps) {
    this.#deps = deps
  }

  /**
   * Deactivates an account: only its owner sees it until it is activated.
   * @param options `deleteAfter`: when to delete it unless it is activated before. It is deleted
   * after this server's delay at the earliest, and after a mail; a taken down account is not
   * deleted, and its `deleteAfter` is not stored. `endApps`: revokes OAuth sessions and app
   * passwords for good, except the OAuth session of the named token
   * @throws AccountError
   */
  async deactivate(did: string, { deleteAfter, endApps }: Deactivation = {}): Promise<void> {
    await this.#change(did, (tx, account) => {
      if (endApps !== undefined) {
        this.#deps.store.oauthTokens.deleteOfAccount(tx, account.id, endApps.except)
        this.#deps.store.authorizedClients.deleteOfAccount(tx, account.id)
        this.#deps.store.appPasswords.deleteAll(tx, account.id)
      }
      const wish = account.takedownRef === null ? deleteAfter : undefined
      // A move that was never finished has an end already, which looks at the identity first.
      const endsAt = account.moveStepAt === null ? this.#deps.dueAccounts.endOfWish(tx, wish) : account.endsAt
      this.#deps.store.accounts.setDeactivated(tx, account.id, {
        deactivatedAt: tx.now,
        deleteAfter: wish?.toISOString() ?? null,
        endsAt,
      })
      tx.afterCommit(() => void this.#deps.dueAccounts.sweep())
    })
  }

  /**
   * Activates an account whose identity names this host.
   * @throws AccountError, DidError, PlcError
   */
  async activate(did: string): Promise<void> {
    await this.#deps.identities.assertNamesUs(did)
    await this.#deps.store.db.write((tx) => {
      const account = this.#deps.store.accounts.byDid(did)
      if (account === undefined || account.takedownRef !== null) {
        throw new AccountError('user not found', 'AccountNotFound')
      }
      this.#deps.store.accounts.setActive(tx, account.id)
      this.#announce(tx, account.id, did)
      const handle = account.handle ?? INVALID_HANDLE
      this.#deps.firehose.append(tx, account.id, { kind: 'identity', did, handle })
      this.#deps.writer.appendSync(tx, account)
    })
  }

  /**
   * Takes an account down, which ends its sessions at once, or lifts the takedown; users then sign
   * in again.
   * @throws AccountError
   */
  async setTakedown(did: string, takedown: Takedown): Promise<void> {
    await this.#change(did, (tx, account) => {
      this.#deps.store.accounts.setTakedown(tx, account.id, takedownRef(tx, takedown))
      if (takedown.applied) this.#deps.store.endSessions(tx, account.id)
      else this.#deps.store.endRefreshing(tx, account.id)
      const repo = this.#deps.store.repos.head(account.id)?.id
      if (takedown.applied && repo !== undefined) tx.afterCommit(() => this.#deps.exports.stop(repo))
      if (!takedown.applied) tx.afterCommit(() => void this.#deps.dueAccounts.sweep())
    })
  }

  /**
   * Says on the firehose how an account stands.
   * @throws AccountError
   */
  async announce(did: string): Promise<void> {
    await this.#change(did, () => undefined)
  }

  /** Changes an account and says on the firehose how it stands then. */
  async #change(did: string, change: (tx: Tx, account: Account) => void): Promise<void> {
    await this.#deps.store.db.write((tx) => {
      const account = this.#deps.store.accounts.byDid(did)
      if (account === undefined) throw new AccountError('Account not found')
      change(tx, account)
      this.#announce(tx, account.id, did)
    })
  }

  #announce(tx: Tx, id: number, did: string): void {
    const account = this.#deps.store.accounts.byDid(did)
    if (account === undefined) throw new AccountError('Account not found')
    const status = statusOf(account)
    this.#deps.firehose.append(
      tx,
      id,
      status === 'active'
        ? { kind: 'account', did, active: true }
        : { kind: 'account', did, active: false, status },
    )
  }
}

/**
 * What is stored for a takedown: null when there is none, and the time for one without a reason.
 */
export function takedownRef(tx: Tx, { applied, ref }: Takedown): string | null {
  return applied ? (ref ?? tx.now) : null
}
