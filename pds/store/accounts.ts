/** Accounts: who they are, how they sign in, and whether they are active. */
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
  /** When a deactivated account is to be deleted. */
  readonly deleteAfter: string | null
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
  readonly deleteAfter?: string | null
  readonly sessionGeneration?: number
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
  readonly #setTakedown
  readonly #nextDeleteAfter
  readonly #toDelete
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
    this.#insert = db.prepare((q, arg: Args<Required<NewAccount> & { createdAt: string }>) =>
      q.insertInto('account').values({
        did: arg.did,
        handle: arg.handle,
        email: arg.email,
        password: arg.password,
        signingKey: arg.signingKey,
        createdAt: arg.createdAt,
        deactivatedAt: arg.deactivatedAt,
        deleteAfter: arg.deleteAfter,
        sessionGeneration: arg.sessionGeneration,
      }),
    )
    this.#setHandle = db.prepare((q, arg: Args<{ id: number; handle: string }>) =>
      q.updateTable('account').set({ handle: arg.handle }).where('id', '=', arg.id),
    )
    this.#setActivity = db.prepare(
      (q, arg: Args<{ id: number; deactivatedAt: string | null; deleteAfter: string | null }>) =>
        q
          .updateTable('account')
          .set({ deactivatedAt: arg.deactivatedAt, deleteAfter: arg.deleteAfter })
          .where('id', '=', arg.id),
    )
    this.#setTakedown = db.prepare((q, arg: Args<{ id: number; takedownRef: string | null }>) =>
      q.updateTable('account').set({ takedownRef: arg.takedownRef }).where('id', '=', arg.id),
    )
    this.#nextDeleteAfter = db.prepare((q) =>
      q
        .selectFrom('account')
        .select('deleteAfter')
        .$narrowType<{ deleteAfter: string }>()
        .where('deleteAfter', 'is not', null)
        .orderBy('deleteAfter')
        .limit(1),
    )
    this.#toDelete = db.prepare((q, arg: Args<{ now: string; limit: number }>) =>
      q
        .selectFrom('account')
        .select(columns)
        .where('deleteAfter', '<=', arg.now)
        .orderBy('deleteAfter')
        .limit(arg.limit),
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
  insert(tx: Tx, account: NewAccount): number {
    return this.#insert.insert({
      deleteAfter: null,
      sessionGeneration: FIRST_SESSION_GENERATION,
      ...account,
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

  /** Deactivates an account, or (both null) makes it active again. `deleteAfter` is ISO 8601 in UTC, as all times here. */
  setActivity(
    _tx: Tx,
    id: number,
    activity: { deactivatedAt: string | null; deleteAfter: string | null },
  ): void {
    this.#setActivity.run({ id, ...activity })
  }

  /** Takes an account down for a reason, or (null) lifts that. */
  setTakedown(_tx: Tx, id: number, takedownRef: string | null): void {
    this.#setTakedown.run({ id, takedownRef })
  }

  /** When the next account is to be deleted; undefined when none is. */
  nextDeleteAfter(): string | undefined {
    return this.#nextDeleteAfter.get({})?.deleteAfter
  }

  /** Accounts whose time to be deleted has come. */
  toDelete(now: string, limit: number): Account[] {
    return this.#toDelete.all({ now, limit })
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
