/** Invite codes and who came by them. */
import type { ExpressionBuilder } from 'kysely'
import type { Args, Sqlite, Tx } from '#platform/sqlite.ts'
import type { Schema } from './schema.ts'

type Row = Schema['invite_code']

/** An invite code. `uses` counts those who came by it. */
export interface InviteCode {
  readonly code: string
  readonly availableUses: number
  readonly disabled: number
  /** A DID or `admin`, as `createdBy`. */
  readonly forAccount: string
  readonly createdBy: string
  readonly createdAt: string
  readonly uses: number
}

export interface InviteUse {
  readonly usedBy: string
  readonly usedAt: string
}

const countUses = (e: ExpressionBuilder<Schema, 'invite_code'>) =>
  e
    .selectFrom('invite_code_use')
    .select((use) => use.fn.countAll<number>().as('uses'))
    .whereRef('invite_code_use.code', '=', 'invite_code.code')
    .$asScalar()
    .$notNull()

const columns = [
  'invite_code.code',
  'availableUses',
  'invite_code.disabled',
  'forAccount',
  'createdBy',
  'invite_code.createdAt',
] as const

export class InviteStore {
  readonly #remaining
  readonly #ofAccount
  readonly #broughtIn
  readonly #uses
  readonly #byTime
  readonly #byUses
  readonly #insert
  readonly #insertUse
  readonly #disable
  readonly #disableOf

  constructor(db: Sqlite<Schema>) {
    this.#remaining = db.prepare((q, arg: Args<{ code: string }>) =>
      q
        .selectFrom('invite_code')
        .leftJoin('account', 'account.did', 'invite_code.forAccount')
        .select((e) => e('availableUses', '-', countUses(e)).as('uses'))
        .where('invite_code.code', '=', arg.code)
        .where('invite_code.disabled', '=', 0)
        .where('account.takedownRef', 'is', null),
    )
    this.#ofAccount = db.prepare((q, arg: Args<{ did: string }>) =>
      q
        .selectFrom('invite_code')
        .select(columns)
        .select((e) => countUses(e).as('uses'))
        .where('forAccount', '=', arg.did)
        .orderBy('createdAt')
        .orderBy('code'),
    )
    this.#broughtIn = db.prepare((q, arg: Args<{ did: string }>) =>
      q
        .selectFrom('invite_code_use as brought')
        .innerJoin('invite_code', 'invite_code.code', 'brought.code')
        .select(columns)
        .select((e) => countUses(e).as('uses'))
        .where('brought.usedBy', '=', arg.did),
    )
    this.#uses = db.prepare((q, arg: Args<{ code: string }>) =>
      q
        .selectFrom('invite_code_use')
        .select(['usedBy', 'usedAt'])
        .where('code', '=', arg.code)
        .orderBy('usedAt', 'desc'),
    )
    this.#byTime = db.prepare((q, arg: Args<{ createdAt: string; code: string; limit: number }>) =>
      q
        .selectFrom('invite_code')
        .select(columns)
        .select((e) => countUses(e).as('uses'))
        .where((e) => e(e.refTuple('createdAt', 'code'), '<', e.tuple(arg.createdAt, arg.code)))
        .orderBy('createdAt', 'desc')
        .orderBy('code', 'desc')
        .limit(arg.limit),
    )
    this.#byUses = db.prepare((q, arg: Args<{ uses: number; code: string; limit: number }>) =>
      q
        .selectFrom((q) =>
          q
            .selectFrom('invite_code')
            .select(columns)
            .select((e) => countUses(e).as('uses'))
            .as('counted'),
        )
        .selectAll()
        .where((e) => e(e.refTuple('uses', 'code'), '<', e.tuple(arg.uses, arg.code)))
        .orderBy('uses', 'desc')
        .orderBy('code', 'desc')
        .limit(arg.limit),
    )
    this.#insert = db.prepare((q, arg: Args<Row>) =>
      q.insertInto('invite_code').values({
        code: arg.code,
        availableUses: arg.availableUses,
        disabled: arg.disabled,
        forAccount: arg.forAccount,
        createdBy: arg.createdBy,
        createdAt: arg.createdAt,
      }),
    )
    this.#insertUse = db.prepare((q, arg: Args<{ code: string; usedBy: string; usedAt: string }>) =>
      q.insertInto('invite_code_use').values({ code: arg.code, usedBy: arg.usedBy, usedAt: arg.usedAt }),
    )
    this.#disable = db.prepare((q, arg: Args<{ code: string }>) =>
      q.updateTable('invite_code').set({ disabled: 1 }).where('code', '=', arg.code),
    )
    this.#disableOf = db.prepare((q, arg: Args<{ did: string }>) =>
      q.updateTable('invite_code').set({ disabled: 1 }).where('forAccount', '=', arg.did),
    )
  }

  /** How many uses a code has left: none if it is unknown, disabled, or of a taken down account. */
  remainingUses(code: string): number {
    return this.#remaining.get({ code })?.uses ?? 0
  }

  /** The codes of an account (a DID, or `admin`), oldest first. */
  ofAccount(did: string): InviteCode[] {
    return this.#ofAccount.all({ did })
  }

  /** The code that an account came by. */
  broughtIn(did: string): InviteCode | undefined {
    return this.#broughtIn.get({ did })
  }

  /** Who came by a code, the latest first. */
  uses(code: string): InviteUse[] {
    return this.#uses.all({ code })
  }

  /** All codes, newest first, after the given one. */
  byTime(after: { createdAt: string; code: string }, limit: number): InviteCode[] {
    return this.#byTime.all({ ...after, limit })
  }

  /** All codes, most used first, after the given one. */
  byUses(after: { uses: number; code: string }, limit: number): InviteCode[] {
    return this.#byUses.all({ ...after, limit })
  }

  insert(tx: Tx, invite: Omit<Row, 'createdAt'>): void {
    this.#insert.run({ ...invite, createdAt: tx.now })
  }

  insertUse(tx: Tx, code: string, usedBy: string): void {
    this.#insertUse.run({ code, usedBy, usedAt: tx.now })
  }

  disable(_tx: Tx, code: string): void {
    this.#disable.run({ code })
  }

  /** Disables every code of an account. */
  disableOf(_tx: Tx, did: string): void {
    this.#disableOf.run({ did })
  }
}
