/**
 * Accounts that go by themselves: a deactivated one whose owner asked for it, and what moved in of
 * one whose move stands still. Their owners are mailed before, a takedown keeps everything as it
 * is, and what an account means elsewhere is asked before anything is final: while an identity
 * names this host, or cannot be asked, its signing key stays. What cannot be asked puts the end
 * off.
 */

import { BackgroundTask } from '#platform/background-task.ts'
import type { Logger } from '#platform/log.ts'
import type { Tx } from '#platform/sqlite.ts'
import { DAY_MS, HOUR_MS } from '#platform/time.ts'
import type { Blobs } from '../blobs/blobs.ts'
import type { Mailer } from '../mail/mailer.ts'
import type { AccountNotice } from '../mail/templates.ts'
import type { Exports } from '../repo/export.ts'
import type { Imports } from '../repo/import.ts'
import type { SigningKeys } from '../repo/keys/signing-keys.ts'
import type { RepoWriter } from '../repo/write.ts'
import type { Account } from '../store/accounts.ts'
import type { Store } from '../store/store.ts'
import type { Deletions } from './deletions.ts'
import type { Identities } from './identities.ts'

/** An owner is told this long before, or half of the delay before where that is shorter. */
const NOTICE_MS_MAX = 7 * DAY_MS
/** What could not be asked is asked again after this. */
const PUT_OFF_MS = DAY_MS
/**
 * The longest time to sleep without a look at the clock: timers do not know that a machine was
 * suspended, and mails are tried again.
 */
const SLEEP_MS_MAX = HOUR_MS
const RETRY_MS = 30_000
const ACCOUNTS_AT_ONCE_MAX = 20
/** Blobs that one transaction takes from an account. */
const BLOBS_AT_ONCE_MAX = 100

export interface DueAccountsOptions {
  /** How long a deactivated account stays at least, whatever its owner wished. */
  readonly deleteDelayMs: number
  /** How long what moved in stays without another step. */
  readonly unactivatedKeepMs: number
  /** The operator's address. */
  readonly contactEmail: string | undefined
}

interface Deps {
  readonly store: Store
  readonly deletions: Deletions
  readonly identities: Pick<Identities, 'whereIs'>
  readonly mailer: Pick<Mailer, 'sendNotice'>
  readonly blobs: Pick<Blobs, 'deleteSome'>
  readonly writer: RepoWriter
  readonly keys: SigningKeys
  readonly imports: Imports
  readonly exports: Exports
  readonly log: Logger
}

export class DueAccounts implements AsyncDisposable {
  readonly #deps: Deps
  readonly #options: DueAccountsOptions
  readonly #task: BackgroundTask

  constructor(deps: Deps, options: DueAccountsOptions) {
    this.#deps = deps
    this.#options = options
    this.#task = new BackgroundTask(
      async () => {
        await this.#attendAll()
        return this.#untilNext()
      },
      {
        log: deps.log,
        failure: {
          message: 'accounts whose time is up could not be looked at',
          todo: 'look at the error: the database may be full or damaged; it is tried again',
        },
        retryMs: RETRY_MS,
      },
    )
  }

  /** When an account goes that is deactivated now, as its owner wishes; null for one that stays. */
  endOfWish(tx: Tx, deleteAfter: Date | undefined): string | null {
    if (deleteAfter === undefined) return null
    const floorMs = Date.parse(tx.now) + this.#options.deleteDelayMs
    return new Date(Math.max(floorMs, deleteAfter.getTime())).toISOString()
  }

  /**
   * Looks now at whose end has come and who is to be told of theirs, and from now on when the next
   * one comes.
   */
  sweep(): Promise<void> {
    return this.#task.run()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#task[Symbol.asyncDispose]()
  }

  #untilNext(): number {
    const next = this.#deps.store.accountEnds.next(new Date().toISOString())
    return next === undefined ? SLEEP_MS_MAX : Math.min(Date.parse(next) - Date.now() + 1, SLEEP_MS_MAX)
  }

  async #attendAll(): Promise<void> {
    const nowMs = Date.now()
    const now = new Date(nowMs).toISOString()
    const soon = new Date(nowMs + noticeOf(this.#options.unactivatedKeepMs)).toISOString()
    let after = 0
    while (!this.#task.signal.aborted) {
      const due = this.#deps.store.accountEnds.due({ now, soon, after, limit: ACCOUNTS_AT_ONCE_MAX })
      for (const account of due) {
        if (this.#task.signal.aborted) return
        after = account.id
        try {
          await this.#attend(account)
        } catch (error) {
          // Nothing happened to this one; it is looked at again.
          this.#deps.log.error(
            {
              err: error,
              did: account.did,
              todo: 'see whether the mail server and the PLC directory answer; it is tried again',
            },
            'an account whose time is up stays for now',
          )
        }
      }
      if (due.length < ACCOUNTS_AT_ONCE_MAX) return
    }
  }

  #attend(account: Account): Promise<void> {
    if (account.endMailedAt === null) return this.#tell(account)
    return account.moveStepAt === null ? this.#endAsWished(account) : this.#endMove(account)
  }

  /**
   * Tells an owner, who then has some days at least, however late the mail leaves. Of a move that
   * brought nothing there is nothing to tell.
   */
  async #tell(account: Account): Promise<void> {
    const { did, email, handle } = account
    const { deleteDelayMs, unactivatedKeepMs } = this.#options
    const isMove = account.moveStepAt !== null
    const notice = noticeOf(isMove ? unactivatedKeepMs : deleteDelayMs)
    const endsAt = later(account.endsAt!, new Date(Date.now() + notice).toISOString())
    if (email === null)
      this.#deps.log.warn(
        {
          did,
          endsAt,
          todo: 'tell its owner before that day if you can, or set an address with com.atproto.admin.updateAccountEmail',
        },
        'an account will go whose owner has no address',
      )
    else if (!isMove || !this.#isEmpty(account.id)) {
      const kind: AccountNotice['kind'] = isMove ? 'move_stands_still' : 'account_will_be_deleted'
      await this.#deps.mailer.sendNotice(email, { kind, handle: handle ?? did, endsAt })
    }
    await this.#deps.store.db.write((tx) => {
      if (this.#isAsBefore(account)) this.#deps.store.accountEnds.setMailed(tx, account.id, endsAt)
    })
  }

  async #endAsWished(account: Account): Promise<void> {
    const { did, deleteAfter } = account
    await this.#deps.store.db.write((tx) => {
      if (!this.#isAsBefore(account)) return
      this.#deps.log.info({ did, deleteAfter }, 'a deactivated account ends as its owner asked')
      this.#deps.deletions.begin(tx, account)
    })
  }

  /**
   * Ends a move that stands still: all of it where the identity lives elsewhere, and all but the
   * account and its key otherwise.
   */
  async #endMove(account: Account): Promise<void> {
    const { id, did } = account
    const where = await this.#deps.identities.whereIs(account)
    if (where === 'unknown') {
      this.#deps.log.warn(
        { did, todo: 'see whether the PLC directory answers; it is asked again' },
        'a move that stands still: its identity cannot be asked, everything stays',
      )
      await this.#putOff(account, PUT_OFF_MS)
    } else if (where === 'elsewhere') {
      await this.#deps.store.db.write((tx) => {
        if (!this.#isAsBefore(account)) return
        this.#deps.deletions.begin(tx, account)
        tx.afterCommit(() => void this.#tellOperator(account, 'move_was_given_up'))
      })
    } else if (this.#isEmpty(id)) await this.#putOff(account, this.#options.unactivatedKeepMs)
    else await this.#clear(account)
  }

  #isEmpty(id: number): boolean {
    return (
      this.#deps.store.records.counts(id).records === 0 && this.#deps.store.blobs.counts(id).received === 0
    )
  }

  async #putOff(account: Account, ms: number): Promise<void> {
    await this.#deps.store.db.write((tx) => {
      if (this.#isAsBefore(account)) {
        this.#deps.store.accountEnds.set(tx, account.id, new Date(Date.parse(tx.now) + ms).toISOString())
      }
    })
  }

  /**
   * Empties an account, which can be filled again. A step of its owner's meanwhile leaves what is
   * left.
   */
  async #clear(account: Account): Promise<void> {
    const { id, did } = account
    const { db, repos, imports, moves } = this.#deps.store
    for (let isDone = false; !isDone; ) {
      if (this.#task.signal.aborted) return
      isDone = await db.write(
        (tx) => !this.#isAsBefore(account) || this.#deps.blobs.deleteSome(tx, account, BLOBS_AT_ONCE_MAX),
      )
    }
    await db.write((tx) => {
      if (!this.#isAsBefore(account)) return
      const repo = repos.head(id)?.id
      repos.deleteHead(tx, id)
      if (repo !== undefined) imports.abandon(tx, repo)
      this.#deps.writer.create(tx, { id, did }, null, this.#deps.keys.of(id))
      const endsAt = new Date(Date.parse(tx.now) + this.#options.unactivatedKeepMs).toISOString()
      moves.setStep(tx, id, endsAt)
      moves.clearBrought(tx, id)
      tx.afterCommit(() => {
        if (repo !== undefined) this.#deps.exports.stop(repo)
        this.#deps.imports.clearLoose()
        void this.#tellOperator(account, 'move_was_cleared')
      })
    })
  }

  /** In the log, and by mail where the operator has an address. */
  async #tellOperator(
    { did, handle }: Account,
    kind: 'move_was_cleared' | 'move_was_given_up',
  ): Promise<void> {
    this.#deps.log.warn(
      { did, handle, kind, todo: 'nothing, unless its owner asks you' },
      'a move to here stood still',
    )
    const { contactEmail } = this.#options
    if (contactEmail === undefined) return
    try {
      await this.#deps.mailer.sendNotice(contactEmail, { kind, handle: handle ?? did, did })
    } catch (error) {
      this.#deps.log.error(
        { err: error, did, todo: 'see whether PDS_EMAIL_SMTP_URL and PDS_CONTACT_EMAIL_ADDRESS are right' },
        'the operator could not be mailed',
      )
    }
  }

  /** Whether nothing was done to an account since it was looked at; inside a transaction. */
  #isAsBefore(account: Account): boolean {
    const now = this.#deps.store.accounts.byId(account.id)
    return (
      now !== undefined &&
      now.takedownRef === null &&
      now.deactivatedAt === account.deactivatedAt &&
      now.endsAt === account.endsAt &&
      now.endMailedAt === account.endMailedAt &&
      now.moveStepAt === account.moveStepAt
    )
  }
}

const noticeOf = (delayMs: number): number => Math.min(NOTICE_MS_MAX, delayMs / 2)

const later = (a: string, b: string): string => (a > b ? a : b)
