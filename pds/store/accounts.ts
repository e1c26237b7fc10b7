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
  readonly takedownRef: string | null
}

export interface NewAccount {
  readonly did: string
  readonly handle: string
  /** In lower case. */
  readonly email: string | null
  readonly password: string | null
  readonly signingKey: Buffer
  readonly deactivatedAt: string | null
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
  'takedownRef',
] as const

export class AccountStore {
  readonly #byDid
  readonly #byHandle
  readonly #byEmail
  readonly #password
  readonly #signingKey
  readonly #list
  readonly #insert
  readonly #setHandle

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
    this.#insert = db.prepare((q, arg: Args<NewAccount & { createdAt: string }>) =>
      q.insertInto('account').values({
        did: arg.did,
        handle: arg.handle,
        email: arg.email,
        password: arg.password,
        signingKey: arg.signingKey,
        createdAt: arg.createdAt,
        deactivatedAt: arg.deactivatedAt,
      }),
    )
    this.#setHandle = db.prepare((q, arg: Args<{ id: number; handle: string }>) =>
      q.updateTable('account').set({ handle: arg.handle }).where('id', '=', arg.id),
    )
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

  /** @returns the id of the new account */
  insert(tx: Tx, account: NewAccount): number {
    return this.#insert.insert({ ...account, createdAt: tx.now })
  }

  setHandle(_tx: Tx, id: number, handle: string): void {
    this.#setHandle.run({ id, handle })
  }
}
