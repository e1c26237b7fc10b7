/** When accounts go: those whose end has come or is to be announced. */
import type { Args, Sqlite, Tx } from '#platform/sqlite.ts'
import { ACCOUNT_COLUMNS, type Account } from './accounts.ts'
import type { Schema } from './schema.ts'

export class AccountEndStore {
  readonly #next
  readonly #due
  readonly #set
  readonly #setMailed

  constructor(db: Sqlite<Schema>) {
    this.#next = db.prepare((q, arg: Args<{ after: string }>) =>
      q
        .selectFrom('account')
        .select('endsAt')
        .$narrowType<{ endsAt: string }>()
        .where('endsAt', '>', arg.after)
        .orderBy('endsAt')
        .limit(1),
    )
    this.#due = db.prepare((q, arg: Args<{ now: string; soon: string; after: number; limit: number }>) =>
      q
        .selectFrom('account')
        .select(ACCOUNT_COLUMNS)
        .where('endsAt', 'is not', null)
        .where('takedownRef', 'is', null)
        .where('id', '>', arg.after)
        .where((e) =>
          e.or([
            e.and([
              e('endMailedAt', 'is', null),
              e.or([e('moveStepAt', 'is', null), e('endsAt', '<=', arg.soon)]),
            ]),
            e.and([e('endMailedAt', 'is not', null), e('endsAt', '<=', arg.now)]),
          ]),
        )
        .orderBy('id')
        .limit(arg.limit),
    )
    this.#set = db.prepare((q, arg: Args<{ id: number; endsAt: string }>) =>
      q.updateTable('account').set({ endsAt: arg.endsAt }).where('id', '=', arg.id),
    )
    this.#setMailed = db.prepare((q, arg: Args<{ id: number; endsAt: string; now: string }>) =>
      q.updateTable('account').set({ endsAt: arg.endsAt, endMailedAt: arg.now }).where('id', '=', arg.id),
    )
  }

  /** When the next account after a time goes; undefined when none does. */
  next(after: string): string | undefined {
    return this.#next.get({ after })?.endsAt
  }

  /**
   * Accounts that are not taken down and whose end has come, or whose owners are to be mailed of
   * it: at once of a wish of their own, of a move that stands still when its end is before `soon`.
   * @param page in the order of their ids, after the given one
   */
  due(page: { now: string; soon: string; after: number; limit: number }): Account[] {
    return this.#due.all(page)
  }

  /** Puts an account's end off, or sets it. */
  set(_tx: Tx, id: number, endsAt: string): void {
    this.#set.run({ id, endsAt })
  }

  /** Remembers that the owner was mailed when the account goes. */
  setMailed(tx: Tx, id: number, endsAt: string): void {
    this.#setMailed.run({ id, endsAt, now: tx.now })
  }
}
