/** Accounts: who they are, and whether they are active. */

import type { Args, Sqlite, Tx } from '#platform/sqlite.ts'
import { HOUR_MS } from '#platform/time.ts'
import type { Schema } from './schema.ts'

/** An account, without its password and key. */
export interface Account {
  readonly id: number
  readonly did: string
  readonly handle: string | null
  readonly email: string | null
  readonly emailConfirmedAt: string | null
  readonly createdAt: string
  readonly deactivatedAt: string | null
  /** When the owner of a deactivated account wants it deleted. */
  readonly deleteAfter: string | null
  /** When it goes, if nothing happens; null for an account that stays. */
  readonly endsAt: string | null
  /** When its owner was notified. */
  readonly endMailedAt: string | null
  /** The last step of its move to here, when it has never been active. */
  readonly moveStepAt: string | null
  readonly takedownRef: string | null
  /** 1 or 0, as `invitesDisabled`. */
  readonly emailAuthFactor: number
  readonly invitesDisabled: number
  /** What access tokens must carry to be good for the account. */
  readonly sessionGeneration: number
}

/** The generation of sessions that is meant where a token names none. */
export const FIRST_SESSION_GENERATION = 1

/** Longer than any access token lives: how long an account that ended is remembered. */
const FORMER_ACCOUNT_HOURS = 24

export interface NewAccount {
  readonly did: string
  readonly handle: string
  /** In lower case. */
  readonly email: string | null
  readonly password: string | null
  readonly signingKey: Buffer
  readonly deactivatedAt: string | null
  readonly sessionGeneration?: number
  /** For an account that moves in. */
  readonly move?: { readonly network: string; readonly endsAt: string }
}

/** The columns of an `Account`. */
export const ACCOUNT_COLUMNS = [
  'id',
  'did',
  'handle',
  'email',
  'emailConfirmedAt',
  'createdAt',
  'deactivatedAt',
  'deleteAfter',
  'endsAt',
  'endMailedAt',
  'moveStepAt',
  'takedownRef',
  'emailAuthFactor',
  'invitesDisabled',
  'sessionGeneration',
] as const

export class AccountStore {
  readonly #byDid
  readonly #byHandle
  readonly #byEmail
  readonly #insert
  readonly #setHandle
  readonly #setActivity
  readonly #setActive
  readonly #setTakedown
  readonly #delete
  readonly #setInvitesDisabled
  readonly #byId
  readonly #search
  readonly #raiseSessionGeneration
  readonly #former
  readonly #remember
  readonly #forgetFormer

  constructor(db: Sqlite<Schema>) {
    this.#byDid = db.prepare((q, arg: Args<{ did: string }>) =>
      q.selectFrom('account').select(ACCOUNT_COLUMNS).where('did', '=', arg.did),
    )
    this.#byHandle = db.prepare((q, arg: Args<{ handle: string }>) =>
      q.selectFrom('account').select(ACCOUNT_COLUMNS).where('handle', '=', arg.handle),
    )
    this.#byEmail = db.prepare((q, arg: Args<{ email: string }>) =>
      q.selectFrom('account').select(ACCOUNT_COLUMNS).where('email', '=', arg.email),
    )
    type Row = Required<Omit<NewAccount, 'move'>> & {
      createdAt: string
      moveStepAt: string | null
      moveNetwork: string | null
      endsAt: string | null
    }
    this.#insert = db.prepare((q, arg: Args<Row>) =>
      q.insertInto('account').values({
        did: arg.did,
        handle: arg.handle,
        email: arg.email,
        password: arg.password,
        signingKey: arg.signingKey,
        createdAt: arg.createdAt,
        deactivatedAt: arg.deactivatedAt,
        moveStepAt: arg.moveStepAt,
        moveNetwork: arg.moveNetwork,
        endsAt: arg.endsAt,
        sessionGeneration: arg.sessionGeneration,
      }),
    )
    this.#setHandle = db.prepare((q, arg: Args<{ id: number; handle: string }>) =>
      q.updateTable('account').set({ handle: arg.handle }).where('id', '=', arg.id),
    )
    this.#setActivity = db.prepare(
      (
        q,
        arg: Args<{
          id: number
          deactivatedAt: string | null
          deleteAfter: string | null
          endsAt: string | null
        }>,
      ) =>
        q
          .updateTable('account')
          .set({
            deactivatedAt: arg.deactivatedAt,
            deleteAfter: arg.deleteAfter,
            endsAt: arg.endsAt,
            endMailedAt: null,
          })
          .where('id', '=', arg.id),
    )
    this.#setActive = db.prepare((q, arg: Args<{ id: number }>) =>
      q
        .updateTable('account')
        .set({
          deactivatedAt: null,
          deleteAfter: null,
          endsAt: null,
          endMailedAt: null,
          moveStepAt: null,
          moveNetwork: null,
          moveRepoBytes: 0,
          moveBlobBytes: 0,
        })
        .where('id', '=', arg.id),
    )
    this.#setTakedown = db.prepare((q, arg: Args<{ id: number; takedownRef: string | null }>) =>
      q
        .updateTable('account')
        .set({ takedownRef: arg.takedownRef, endMailedAt: null })
        .where('id', '=', arg.id),
    )
    this.#delete = db.prepare((q, arg: Args<{ id: number }>) =>
      q.deleteFrom('account').where('id', '=', arg.id),
    )
    this.#setInvitesDisabled = db.prepare((q, arg: Args<{ did: string; disabled: number }>) =>
      q.updateTable('account').set({ invitesDisabled: arg.disabled }).where('did', '=', arg.did),
    )
    this.#byId = db.prepare((q, arg: Args<{ id: number }>) =>
      q.selectFrom('account').select(ACCOUNT_COLUMNS).where('id', '=', arg.id),
    )
    this.#search = db.prepare((q, arg: Args<{ email: string; before: number; limit: number }>) =>
      q
        .selectFrom('account')
        .select(ACCOUNT_COLUMNS)
        .where('id', '<', arg.before)
        .where((e) => e.or([e(arg.email, '=', ''), e(e.fn('instr', ['email', arg.email]), '>', e.val(0))]))
        .orderBy('id', 'desc')
        .limit(arg.limit),
    )
    this.#raiseSessionGeneration = db.prepare((q, arg: Args<{ id: number }>) =>
      q
        .updateTable('account')
        .set((e) => ({ sessionGeneration: e('sessionGeneration', '+', 1) }))
        .where('id', '=', arg.id),
    )
    this.#former = db.prepare((q, arg: Args<{ did: string }>) =>
      q.selectFrom('former_account').select('sessionGeneration').where('did', '=', arg.did),
    )
    this.#remember = db.prepare((q, arg: Args<{ id: number; now: string }>) =>
      q
        .insertInto('former_account')
        .columns(['did', 'sessionGeneration', 'endedAt'])
        .expression((e) =>
          e
            .selectFrom('account')
            .select((row) => [
              'did',
              row('sessionGeneration', '+', 1).as('sessionGeneration'),
              arg.now.as('endedAt'),
            ])
            .where('id', '=', arg.id),
        )
        .onConflict((conflict) =>
          conflict.column('did').doUpdateSet((row) => ({
            sessionGeneration: row.ref('excluded.sessionGeneration'),
            endedAt: row.ref('excluded.endedAt'),
          })),
        ),
    )
    this.#forgetFormer = db.prepare((q, arg: Args<{ before: string }>) =>
      q.deleteFrom('former_account').where('endedAt', '<', arg.before),
    )
  }

  byId(id: number): Account | undefined {
    return this.#byId.get({ id })
  }

  byDid(did: string): Account | undefined {
    return this.#byDid.get({ did })
  }

  /** @param handle in lower case */
  byHandle(handle: string): Account | undefined {
    return this.#byHandle.get({ handle })
  }

  /** @param email in lower case */
  byEmail(email: string): Account | undefined {
    return this.#byEmail.get({ email })
  }

  /** The account that an at-identifier (a DID or a handle) names. */
  find(identifier: string): Account | undefined {
    return identifier.startsWith('did:') ? this.byDid(identifier) : this.byHandle(identifier.toLowerCase())
  }

  /** @returns the id of the new account */
  insert(tx: Tx, { move, ...account }: NewAccount): number {
    return this.#insert.insert({
      sessionGeneration: FIRST_SESSION_GENERATION,
      ...account,
      moveStepAt: move === undefined ? null : tx.now,
      moveNetwork: move?.network ?? null,
      endsAt: move?.endsAt ?? null,
      createdAt: tx.now,
    })
  }

  /**
   * The generation of sessions that a new account of a DID begins with: tokens of an earlier
   * account do not open it.
   */
  nextSessionGeneration(did: string): number {
    return this.#former.get({ did })?.sessionGeneration ?? FIRST_SESSION_GENERATION
  }

  /** Makes every access token of an account worthless. */
  raiseSessionGeneration(_tx: Tx, id: number): void {
    this.#raiseSessionGeneration.run({ id })
  }

  setHandle(_tx: Tx, id: number, handle: string): void {
    this.#setHandle.run({ id, handle })
  }

  /**
   * Deactivates an account. `deleteAfter` is what its owner requested and `endsAt` when the account
   * is deleted, in ISO 8601 and UTC, as all times here. Its owner has to be notified again.
   */
  setDeactivated(
    _tx: Tx,
    id: number,
    activity: { deactivatedAt: string; deleteAfter: string | null; endsAt: string | null },
  ): void {
    this.#setActivity.run({ id, ...activity })
  }

  /** Makes an account active: it stays, and if it was moving in, it has. */
  setActive(_tx: Tx, id: number): void {
    this.#setActive.run({ id })
  }

  /**
   * Takes an account down for a reason, or (null) lifts the takedown. A deletion that was announced
   * before has to be announced again.
   */
  setTakedown(_tx: Tx, id: number, takedownRef: string | null): void {
    this.#setTakedown.run({ id, takedownRef })
  }

  /** Deletes the account's own row, and with it its password and key. */
  delete(tx: Tx, id: number): void {
    const before = new Date(Date.parse(tx.now) - FORMER_ACCOUNT_HOURS * HOUR_MS).toISOString()
    this.#forgetFormer.run({ before })
    this.#remember.run({ id, now: tx.now })
    this.#delete.run({ id })
  }

  /**
   * Accounts whose address contains the text, newest first.
   * @param email in lower case; empty: every account
   * @param before the id after which the page begins
   */
  search(email: string, before: number, limit: number): Account[] {
    return this.#search.all({ email, before, limit })
  }

  setInvitesDisabled(_tx: Tx, did: string, disabled: boolean): void {
    this.#setInvitesDisabled.run({ did, disabled: Number(disabled) })
  }
}
