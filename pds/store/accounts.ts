/** Accounts: who they are, how they sign in, and whether they are active. */
import { type Kysely, sql } from 'kysely'
import type { Args, Sqlite, Tx } from '#platform/sqlite.ts'
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
  /** When its owner was told so. */
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

/** What a step of a move brought. */
export interface Moved {
  readonly repoBytes?: number | null
  readonly blobBytes?: number
}

/** How many accounts are moving in, and how much they brought. */
export interface MovesTotal {
  readonly accounts: number
  readonly bytes: number
}

/** A line of `listRepos`. */
export interface RepoListing {
  readonly did: string
  readonly commit: Buffer
  readonly rev: string
  readonly createdAt: string
  readonly deactivatedAt: string | null
  readonly takedownRef: string | null
}

const columns = [
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
  readonly #password
  readonly #signingKey
  readonly #list
  readonly #pageWithCollection
  readonly #insert
  readonly #setHandle
  readonly #setActivity
  readonly #setActive
  readonly #setTakedown
  readonly #nextEnd
  readonly #due
  readonly #setEnd
  readonly #setMailed
  readonly #setMoveStep
  readonly #addMoved
  readonly #clearMoved
  readonly #moves
  readonly #movesOf
  readonly #moveNetwork
  readonly #delete
  readonly #signingKeys
  readonly #setSigningKey
  readonly #setEmail
  readonly #confirmEmail
  readonly #setEmailAuthFactor
  readonly #setPassword
  readonly #setInvitesDisabled
  readonly #byId
  readonly #search
  readonly #raiseSessionGeneration
  readonly #former
  readonly #remember
  readonly #forgetFormer

  constructor(db: Sqlite<Schema>) {
    this.#byDid = db.prepare((q, arg: Args<{ did: string }>) =>
      q.selectFrom('account').select(columns).where('did', '=', arg.did),
    )
    this.#byHandle = db.prepare((q, arg: Args<{ handle: string }>) =>
      q.selectFrom('account').select(columns).where('handle', '=', arg.handle),
    )
    this.#byEmail = db.prepare((q, arg: Args<{ email: string }>) =>
      q.selectFrom('account').select(columns).where('email', '=', arg.email),
    )
    this.#password = db.prepare((q, arg: Args<{ id: number }>) =>
      q.selectFrom('account').select('password').where('id', '=', arg.id),
    )
    this.#signingKey = db.prepare((q, arg: Args<{ id: number }>) =>
      q.selectFrom('account').select('signingKey').where('id', '=', arg.id),
    )
    this.#list = db.prepare((q, arg: Args<{ createdAt: string; did: string; limit: number }>) =>
      q
        .selectFrom('account')
        .innerJoin('repo', 'repo.account', 'account.id')
        .select(['did', 'repo.commit', 'rev', 'createdAt', 'deactivatedAt', 'takedownRef'])
        .where((e) => e(e.refTuple('createdAt', 'did'), '>', e.tuple(arg.createdAt, arg.did)))
        .orderBy('createdAt')
        .orderBy('did')
        .limit(arg.limit),
    )
    this.#pageWithCollection = db.prepare(
      (q, arg: Args<{ after: number; collection: string; limit: number }>) =>
        q
          .selectFrom('account')
          .innerJoin('repo', 'repo.account', 'account.id')
          .select(['account.id', 'did', 'deactivatedAt', 'takedownRef'])
          .select((e) =>
            e
              .exists(
                e
                  .selectFrom('record')
                  .select('record.id')
                  .whereRef('record.repo', '=', 'repo.id')
                  .where('record.collection', '=', arg.collection),
              )
              .$castTo<0 | 1>()
              .as('hasCollection'),
          )
          .where('account.id', '>', arg.after)
          .orderBy('account.id')
          .limit(arg.limit),
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
    this.#nextEnd = db.prepare((q, arg: Args<{ after: string }>) =>
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
        .select(columns)
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
    this.#setEnd = db.prepare((q, arg: Args<{ id: number; endsAt: string }>) =>
      q.updateTable('account').set({ endsAt: arg.endsAt }).where('id', '=', arg.id),
    )
    this.#setMailed = db.prepare((q, arg: Args<{ id: number; endsAt: string; now: string }>) =>
      q.updateTable('account').set({ endsAt: arg.endsAt, endMailedAt: arg.now }).where('id', '=', arg.id),
    )
    this.#setMoveStep = db.prepare((q, arg: Args<{ id: number; endsAt: string; now: string }>) =>
      q
        .updateTable('account')
        .set({ moveStepAt: arg.now, endsAt: arg.endsAt, endMailedAt: null })
        .where('id', '=', arg.id)
        .where('moveStepAt', 'is not', null),
    )
    this.#addMoved = db.prepare((q, arg: Args<{ id: number; repoBytes: number | null; blobBytes: number }>) =>
      q
        .updateTable('account')
        .set((e) => ({
          moveRepoBytes: e.fn.coalesce(arg.repoBytes, 'moveRepoBytes'),
          moveBlobBytes: e('moveBlobBytes', '+', arg.blobBytes),
        }))
        .where('id', '=', arg.id)
        .where('moveStepAt', 'is not', null),
    )
    this.#clearMoved = db.prepare((q, arg: Args<{ id: number }>) =>
      q.updateTable('account').set({ moveRepoBytes: 0, moveBlobBytes: 0 }).where('id', '=', arg.id),
    )
    const totals = (q: Kysely<Schema>) =>
      q
        .selectFrom('account')
        .select((e) => [
          e.fn.countAll<number>().as('accounts'),
          sql<number>`coalesce(sum("moveRepoBytes" + "moveBlobBytes"), 0)`.as('bytes'),
        ])
        .where('moveStepAt', 'is not', null)
    this.#moves = db.prepare((q) => totals(q))
    this.#movesOf = db.prepare((q, arg: Args<{ network: string }>) =>
      totals(q).where('moveNetwork', '=', arg.network),
    )
    this.#moveNetwork = db.prepare((q, arg: Args<{ id: number }>) =>
      q.selectFrom('account').select('moveNetwork').where('id', '=', arg.id),
    )
    this.#delete = db.prepare((q, arg: Args<{ id: number }>) =>
      q.deleteFrom('account').where('id', '=', arg.id),
    )
    this.#signingKeys = db.prepare((q, arg: Args<{ after: number; limit: number }>) =>
      q
        .selectFrom('account')
        .select(['id', 'signingKey'])
        .where('id', '>', arg.after)
        .orderBy('id')
        .limit(arg.limit),
    )
    this.#setSigningKey = db.prepare((q, arg: Args<{ id: number; signingKey: Buffer }>) =>
      q.updateTable('account').set({ signingKey: arg.signingKey }).where('id', '=', arg.id),
    )
    this.#setEmail = db.prepare((q, arg: Args<{ id: number; email: string }>) =>
      q
        .updateTable('account')
        .set({ email: arg.email, emailConfirmedAt: null, emailAuthFactor: 0 })
        .where('id', '=', arg.id),
    )
    this.#confirmEmail = db.prepare((q, arg: Args<{ id: number; now: string }>) =>
      q.updateTable('account').set({ emailConfirmedAt: arg.now }).where('id', '=', arg.id),
    )
    this.#setEmailAuthFactor = db.prepare((q, arg: Args<{ id: number; on: number }>) =>
      q.updateTable('account').set({ emailAuthFactor: arg.on }).where('id', '=', arg.id),
    )
    this.#setPassword = db.prepare((q, arg: Args<{ id: number; password: string }>) =>
      q.updateTable('account').set({ password: arg.password }).where('id', '=', arg.id),
    )
    this.#setInvitesDisabled = db.prepare((q, arg: Args<{ did: string; disabled: number }>) =>
      q.updateTable('account').set({ invitesDisabled: arg.disabled }).where('did', '=', arg.did),
    )
    this.#byId = db.prepare((q, arg: Args<{ id: number }>) =>
      q.selectFrom('account').select(columns).where('id', '=', arg.id),
    )
    this.#search = db.prepare((q, arg: Args<{ email: string; before: number; limit: number }>) =>
      q
        .selectFrom('account')
        .select(columns)
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

  /** The stored scrypt hash; null when the account has no password. */
  password(id: number): string | null {
    return this.#password.get({ id })?.password ?? null
  }

  /** The encrypted signing key. */
  signingKey(id: number): Buffer | undefined {
    return this.#signingKey.get({ id })?.signingKey
  }

  /** Accounts with a repository in order of creation, after the given one. */
  list(after: { createdAt: string; did: string }, limit: number): RepoListing[] {
    return this.#list.all({ ...after, limit })
  }

  /** Accounts with a repository in the order of their ids, after the given one, and whether each has records of a collection. */
  pageWithCollection(
    collection: string,
    after: number,
    limit: number,
  ): {
    readonly id: number
    readonly did: string
    readonly deactivatedAt: string | null
    readonly takedownRef: string | null
    readonly hasCollection: 0 | 1
  }[] {
    return this.#pageWithCollection.all({ collection, after, limit })
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

  /** The generation of sessions that a new account of a DID begins with: tokens of an earlier account do not open it. */
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
   * Deactivates an account. `deleteAfter` is what its owner wants and `endsAt` when that is carried out, in ISO 8601 and UTC, as all
   * times here. Its owner is to be mailed anew.
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

  /** Takes an account down for a reason, or (null) lifts that. An end that was announced is announced anew after it. */
  setTakedown(_tx: Tx, id: number, takedownRef: string | null): void {
    this.#setTakedown.run({ id, takedownRef })
  }

  /** When the next account after a time goes; undefined when none does. */
  nextEnd(after: string): string | undefined {
    return this.#nextEnd.get({ after })?.endsAt
  }

  /**
   * Accounts that are not taken down and whose end has come, or whose owners are to be mailed of it: at once of a wish of their own, of a
   * move that stands still when its end is before `soon`.
   * @param page in the order of their ids, after the given one
   */
  due(page: { now: string; soon: string; after: number; limit: number }): Account[] {
    return this.#due.all(page)
  }

  /** Puts an account's end off, or sets it. */
  setEnd(_tx: Tx, id: number, endsAt: string): void {
    this.#setEnd.run({ id, endsAt })
  }

  /** Remembers that the owner was mailed when the account goes. */
  setEndMailed(tx: Tx, id: number, endsAt: string): void {
    this.#setMailed.run({ id, endsAt, now: tx.now })
  }

  /** A step of a move, which goes on until `endsAt` now; nothing when the account has moved in already. */
  setMoveStep(tx: Tx, id: number, endsAt: string): void {
    this.#setMoveStep.run({ id, endsAt, now: tx.now })
  }

  /** Counts what a move has brought: a repository in place of the one before, or blobs beside those before. */
  addMoved(_tx: Tx, id: number, { repoBytes = null, blobBytes = 0 }: Moved): void {
    this.#addMoved.run({ id, repoBytes, blobBytes })
  }

  /** What a move has brought is gone again. */
  clearMoved(_tx: Tx, id: number): void {
    this.#clearMoved.run({ id })
  }

  /** The accounts that are moving in; with a network, those of them that began there. */
  moves(network?: string): MovesTotal {
    const total = network === undefined ? this.#moves.get({}) : this.#movesOf.get({ network })
    return total ?? { accounts: 0, bytes: 0 }
  }

  /** From where a move began; undefined when that is not known. */
  moveNetwork(id: number): string | undefined {
    return this.#moveNetwork.get({ id })?.moveNetwork ?? undefined
  }

  /** Deletes the account's own row, and with it its password and key. */
  delete(tx: Tx, id: number): void {
    const before = new Date(Date.parse(tx.now) - FORMER_ACCOUNT_HOURS * 3_600_000).toISOString()
    this.#forgetFormer.run({ before })
    this.#remember.run({ id, now: tx.now })
    this.#delete.run({ id })
  }

  /** Encrypted signing keys, in the order of their accounts, after the given one. */
  signingKeys(after: number, limit: number): { id: number; signingKey: Buffer }[] {
    return this.#signingKeys.all({ after, limit })
  }

  setSigningKey(_tx: Tx, id: number, signingKey: Buffer): void {
    this.#setSigningKey.run({ id, signingKey })
  }

  /**
   * Accounts whose address contains the text, newest first.
   * @param email in lower case; empty: every account
   * @param before the id after which the page begins
   */
  search(email: string, before: number, limit: number): Account[] {
    return this.#search.all({ email, before, limit })
  }

  /**
   * Gives an account another address, which nobody has confirmed: it is no second factor.
   * @param email in lower case
   */
  setEmail(_tx: Tx, id: number, email: string): void {
    this.#setEmail.run({ id, email })
  }

  confirmEmail(tx: Tx, id: number): void {
    this.#confirmEmail.run({ id, now: tx.now })
  }

  setEmailAuthFactor(_tx: Tx, id: number, on: boolean): void {
    this.#setEmailAuthFactor.run({ id, on: Number(on) })
  }

  /** @param password the scrypt hash */
  setPassword(_tx: Tx, id: number, password: string): void {
    this.#setPassword.run({ id, password })
  }

  setInvitesDisabled(_tx: Tx, did: string, disabled: boolean): void {
    this.#setInvitesDisabled.run({ did, disabled: Number(disabled) })
  }
}
