/** Accounts that are moving in: how far each is, and how much all of them brought. */
import { type Kysely, sql } from 'kysely'
import type { Args, Sqlite, Tx } from '#platform/sqlite.ts'
import type { Schema } from './schema.ts'

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

export class MoveStore {
  readonly #setStep
  readonly #addBrought
  readonly #clearBrought
  readonly #total
  readonly #totalOf
  readonly #network

  constructor(db: Sqlite<Schema>) {
    this.#setStep = db.prepare((q, arg: Args<{ id: number; endsAt: string; now: string }>) =>
      q
        .updateTable('account')
        .set({ moveStepAt: arg.now, endsAt: arg.endsAt, endMailedAt: null })
        .where('id', '=', arg.id)
        .where('moveStepAt', 'is not', null),
    )
    this.#addBrought = db.prepare(
      (q, arg: Args<{ id: number; repoBytes: number | null; blobBytes: number }>) =>
        q
          .updateTable('account')
          .set((e) => ({
            moveRepoBytes: e.fn.coalesce(arg.repoBytes, 'moveRepoBytes'),
            moveBlobBytes: e('moveBlobBytes', '+', arg.blobBytes),
          }))
          .where('id', '=', arg.id)
          .where('moveStepAt', 'is not', null),
    )
    this.#clearBrought = db.prepare((q, arg: Args<{ id: number }>) =>
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
    this.#total = db.prepare((q) => totals(q))
    this.#totalOf = db.prepare((q, arg: Args<{ network: string }>) =>
      totals(q).where('moveNetwork', '=', arg.network),
    )
    this.#network = db.prepare((q, arg: Args<{ id: number }>) =>
      q.selectFrom('account').select('moveNetwork').where('id', '=', arg.id),
    )
  }

  /**
   * A step of a move, which goes on until `endsAt` now; nothing when the account has moved in
   * already.
   */
  setStep(tx: Tx, id: number, endsAt: string): void {
    this.#setStep.run({ id, endsAt, now: tx.now })
  }

  /**
   * Counts what a move has brought: a repository in place of the one before, or blobs beside those
   * before.
   */
  addBrought(_tx: Tx, id: number, { repoBytes = null, blobBytes = 0 }: Moved): void {
    this.#addBrought.run({ id, repoBytes, blobBytes })
  }

  /** What a move has brought is gone again. */
  clearBrought(_tx: Tx, id: number): void {
    this.#clearBrought.run({ id })
  }

  /** The accounts that are moving in; with a network, those of them that began there. */
  total(network?: string): MovesTotal {
    const total = network === undefined ? this.#total.get({}) : this.#totalOf.get({ network })
    return total ?? { accounts: 0, bytes: 0 }
  }

  /** From where a move began; undefined when that is not known. */
  network(id: number): string | undefined {
    return this.#network.get({ id })?.moveNetwork ?? undefined
  }
}
