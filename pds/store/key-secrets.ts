/** Signing keys that have no account yet, and which secret all of them are encrypted under. */
import type { Args, Sqlite, Tx } from '#platform/sqlite.ts'
import type { Schema } from './schema.ts'

export class ReservedKeyStore {
  readonly #get
  readonly #put
  readonly #delete
  readonly #deleteUpTo
  readonly #all
  readonly #set

  constructor(db: Sqlite<Schema>) {
    this.#get = db.prepare((q, arg: Args<{ name: string }>) =>
      q.selectFrom('reserved_key').select('signingKey').where('name', '=', arg.name),
    )
    this.#put = db.prepare((q, arg: Args<{ name: string; signingKey: Buffer; createdAt: string }>) =>
      q
        .insertInto('reserved_key')
        .values({ name: arg.name, signingKey: arg.signingKey, createdAt: arg.createdAt }),
    )
    this.#delete = db.prepare((q, arg: Args<{ name: string }>) =>
      q.deleteFrom('reserved_key').where('name', '=', arg.name),
    )
    this.#deleteUpTo = db.prepare((q, arg: Args<{ id: number }>) =>
      q.deleteFrom('reserved_key').where('id', '<=', arg.id),
    )
    this.#all = db.prepare((q) => q.selectFrom('reserved_key').select(['name', 'signingKey']))
    this.#set = db.prepare((q, arg: Args<{ name: string; signingKey: Buffer }>) =>
      q.updateTable('reserved_key').set({ signingKey: arg.signingKey }).where('name', '=', arg.name),
    )
  }

  /** The encrypted key that is kept under a name. */
  get(name: string): Buffer | undefined {
    return this.#get.get({ name })?.signingKey
  }

  /**
   * Keeps an encrypted key under a name that has none, and forgets those that are not among the
   * last `kept`.
   */
  put(tx: Tx, name: string, signingKey: Buffer, kept: number): void {
    const id = this.#put.insert({ name, signingKey, createdAt: tx.now })
    this.#deleteUpTo.run({ id: id - kept })
  }

  delete(_tx: Tx, name: string): void {
    this.#delete.run({ name })
  }

  /** Every key; there are few. */
  all(): { name: string; signingKey: Buffer }[] {
    return this.#all.all({})
  }

  set(_tx: Tx, name: string, signingKey: Buffer): void {
    this.#set.run({ name, signingKey })
  }
}

export class KeySecretStore {
  readonly #get
  readonly #put

  constructor(db: Sqlite<Schema>) {
    this.#get = db.prepare((q) => q.selectFrom('key_secret').select('fingerprint').where('id', '=', 1))
    this.#put = db.prepare((q, arg: Args<{ fingerprint: Buffer }>) =>
      q.replaceInto('key_secret').values({ id: 1, fingerprint: arg.fingerprint }),
    )
  }

  /**
   * The fingerprint of the secret that the keys are encrypted under; undefined before there is one.
   */
  fingerprint(): Buffer | undefined {
    return this.#get.get({})?.fingerprint
  }

  setFingerprint(_tx: Tx, fingerprint: Buffer): void {
    this.#put.run({ fingerprint })
  }
}
