/** Browsers that opened the sign-in or account pages, and who is signed in on which. */
import { type Kysely, sql } from 'kysely'
import type { Args, Sqlite, Tx } from '#platform/sqlite.ts'
import type { Schema } from './schema.ts'

export type Device = Schema['device']

/** An account's session in a browser. */
export interface DeviceAccount extends Omit<Device, 'id'> {
  readonly device: string
  readonly account: number
  readonly createdAt: string
  readonly updatedAt: string
}

export class DeviceStore {
  readonly #get
  readonly #insert
  readonly #update
  readonly #delete
  readonly #account
  readonly #accountsOn
  readonly #devicesOf
  readonly #putAccount
  readonly #deleteAccount
  readonly #deleteOfAccount
  readonly #deleteUnseen
  readonly #unsealed
  readonly #sessions
  readonly #setSession

  constructor(db: Sqlite<Schema>) {
    this.#get = db.prepare((q, arg: Args<{ id: string }>) =>
      q.selectFrom('device').selectAll().where('id', '=', arg.id),
    )
    this.#insert = db.prepare((q, arg: Args<Device>) =>
      q.insertInto('device').values({
        id: arg.id,
        sessionId: arg.sessionId,
        userAgent: arg.userAgent,
        ipAddress: arg.ipAddress,
        lastSeenAt: arg.lastSeenAt,
      }),
    )
    this.#update = db.prepare((q, arg: Args<Device>) =>
      q
        .updateTable('device')
        .set({
          sessionId: arg.sessionId,
          userAgent: arg.userAgent,
          ipAddress: arg.ipAddress,
          lastSeenAt: arg.lastSeenAt,
        })
        .where('id', '=', arg.id),
    )
    this.#delete = db.prepare((q, arg: Args<{ id: string }>) =>
      q.deleteFrom('device').where('id', '=', arg.id),
    )
    const accounts = (q: Kysely<Schema>) =>
      q
        .selectFrom('device_account')
        .innerJoin('device', 'device.id', 'device_account.device')
        .select(['device', 'account', 'createdAt', 'updatedAt'])
        .select(['sessionId', 'userAgent', 'ipAddress', 'lastSeenAt'])
        .orderBy('createdAt')
    this.#account = db.prepare((q, arg: Args<{ device: string; account: number }>) =>
      accounts(q).where('device', '=', arg.device).where('account', '=', arg.account),
    )
    this.#accountsOn = db.prepare((q, arg: Args<{ device: string }>) =>
      accounts(q).where('device', '=', arg.device),
    )
    this.#devicesOf = db.prepare((q, arg: Args<{ account: number }>) =>
      accounts(q).where('account', '=', arg.account),
    )
    this.#putAccount = db.prepare((q, arg: Args<{ device: string; account: number; now: string }>) =>
      q
        .insertInto('device_account')
        .values({ device: arg.device, account: arg.account, createdAt: arg.now, updatedAt: arg.now })
        .onConflict((conflict) =>
          conflict.columns(['device', 'account']).doUpdateSet({ updatedAt: arg.now }),
        ),
    )
    this.#deleteAccount = db.prepare((q, arg: Args<{ device: string; account: number }>) =>
      q.deleteFrom('device_account').where('device', '=', arg.device).where('account', '=', arg.account),
    )
    this.#deleteOfAccount = db.prepare((q, arg: Args<{ account: number }>) =>
      q.deleteFrom('device_account').where('account', '=', arg.account),
    )
    this.#deleteUnseen = db.prepare((q, arg: Args<{ before: string; limit: number }>) => {
      const some = q
        .selectFrom('device')
        .select('id')
        .where('lastSeenAt', '<', arg.before)
        .orderBy('lastSeenAt')
        .limit(arg.limit)
      return q.deleteFrom('device').where('id', 'in', some)
    })
    // The library's ids begin so; the index on them finds those that are not sealed.
    this.#unsealed = db.prepare((q, arg: Args<{ limit: number }>) =>
      q
        .selectFrom('device')
        .select(['id', 'sessionId'])
        .where('sessionId', '>=', sql.lit('ses-'))
        .where('sessionId', '<', sql.lit('ses.'))
        .limit(arg.limit),
    )
    this.#sessions = db.prepare((q, arg: Args<{ after: string; limit: number }>) =>
      q
        .selectFrom('device')
        .select(['id', 'sessionId'])
        .where('id', '>', arg.after)
        .orderBy('id')
        .limit(arg.limit),
    )
    this.#setSession = db.prepare((q, arg: Args<{ id: string; sessionId: string }>) =>
      q.updateTable('device').set({ sessionId: arg.sessionId }).where('id', '=', arg.id),
    )
  }

  get(id: string): Device | undefined {
    return this.#get.get({ id })
  }

  insert(_tx: Tx, device: Device): void {
    this.#insert.run(device)
  }

  /** Changes what is given of a browser; nothing when it is gone. */
  update(_tx: Tx, id: string, changes: Partial<Omit<Device, 'id'>>): void {
    const device = this.get(id)
    if (device !== undefined) this.#update.run({ ...device, ...changes })
  }

  /** Forgets a browser, and who is signed in on it. */
  delete(_tx: Tx, id: string): void {
    this.#delete.run({ id })
  }

  account(device: string, account: number): DeviceAccount | undefined {
    return this.#account.get({ device, account })
  }

  /** Who is signed in on a browser, in the order that they came. */
  accountsOn(device: string): DeviceAccount[] {
    return this.#accountsOn.all({ device })
  }

  /** The browsers that an account is signed in on. */
  devicesOf(account: number): DeviceAccount[] {
    return this.#devicesOf.all({ account })
  }

  /** Signs an account in on a browser, replacing an earlier sign-in. */
  putAccount(tx: Tx, device: string, account: number): void {
    this.#putAccount.run({ device, account, now: tx.now })
  }

  deleteAccount(_tx: Tx, device: string, account: number): void {
    this.#deleteAccount.run({ device, account })
  }

  /** Signs an account out on every browser. */
  deleteOfAccount(_tx: Tx, account: number): void {
    this.#deleteOfAccount.run({ account })
  }

  /** Some browsers whose session ids are in the clear. */
  unsealed(limit: number): Pick<Device, 'id' | 'sessionId'>[] {
    return this.#unsealed.all({ limit })
  }

  /** The session ids of some browsers, in the order of `id`. */
  sessions(after: string, limit: number): Pick<Device, 'id' | 'sessionId'>[] {
    return this.#sessions.all({ after, limit })
  }

  setSession(_tx: Tx, id: string, sessionId: string): void {
    this.#setSession.run({ id, sessionId })
  }

  /** Forgets some browsers that were last seen before a time. @returns how many */
  deleteUnseen(_tx: Tx, before: string, limit: number): number {
    return this.#deleteUnseen.run({ before, limit })
  }
}
