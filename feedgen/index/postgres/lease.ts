/**
 * Which of several processes writes. Whoever holds the lease renews it, and every transaction that
 * writes does so too: a process that was stopped for a while, and then goes on as if nothing had
 * been, cannot write once another took over. Time is the database's.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Kysely, sql } from 'kysely'
import { logger } from '#platform/log.ts'
import type { Schema } from '../schema.ts'

/** Another process holds the lease. */
export class LeaseLostError extends Error {
  override name = 'LeaseLostError'
}

const NAME = 'writer'
const leaseMsDefault = 5000
const now = sql<number>`(extract(epoch from clock_timestamp()) * 1000)::bigint`

export class Lease {
  readonly #db: Kysely<Schema>
  readonly #holder = randomUUID()
  readonly #leaseMs: number

  constructor(db: Kysely<Schema>, leaseMs = leaseMsDefault) {
    this.#db = db
    this.#leaseMs = leaseMs
  }

  /** Takes the lease if nobody else holds it, or renews it; whether it is held now. */
  async take(): Promise<boolean> {
    const until = sql<number>`${now} + ${this.#leaseMs}`
    const taken = await this.#db
      .insertInto('leases')
      .values({ name: NAME, holder: this.#holder, expires_at: until })
      .onConflict((conflict) =>
        conflict
          .column('name')
          .doUpdateSet({ holder: this.#holder, expires_at: until })
          .where(({ or, eb }) =>
            or([eb('leases.holder', '=', this.#holder), eb('leases.expires_at', '<', now)]),
          ),
      )
      .returning('name')
      .execute()
    return taken.length > 0
  }

  /**
   * Renews the lease in a transaction that is about to write, which nobody can take it from before
   * it ends.
   * @throws LeaseLostError
   */
  async renew(tx: Kysely<Schema>): Promise<void> {
    const renewed = await tx
      .updateTable('leases')
      .set({ expires_at: sql<number>`${now} + ${this.#leaseMs}` })
      .where('name', '=', NAME)
      .where('holder', '=', this.#holder)
      .returning('name')
      .execute()
    if (renewed.length === 0) throw new LeaseLostError('another process writes the index')
  }

  /** Lets another process write at once. */
  async release(): Promise<void> {
    await this.#db.deleteFrom('leases').where('name', '=', NAME).where('holder', '=', this.#holder).execute()
  }

  /**
   * Calls `begin` whenever this process comes to hold the lease, and disposes of what that gave
   * when another process holds it. While the database does not answer nothing is known, and all
   * stays as it is: what is written renews the lease or fails.
   */
  whileHeld(begin: () => AsyncDisposable): AsyncDisposable {
    const stopping = new AbortController()
    const ended = this.#holdForEver(begin, stopping.signal)
    return {
      async [Symbol.asyncDispose]() {
        stopping.abort()
        await ended
      },
    }
  }

  async #holdForEver(begin: () => AsyncDisposable, signal: AbortSignal): Promise<void> {
    const log = logger('index')
    let work: AsyncDisposable | undefined
    while (!signal.aborted) {
      const held = await this.take().catch((error) => {
        log.error(
          { err: error, todo: 'see whether PostgreSQL answers; it is tried again' },
          'the lease cannot be renewed',
        )
        return undefined
      })
      if (held && !work) {
        log.info('this process writes the index')
        work = begin()
      } else if (held === false && work) {
        log.info('another process writes the index')
        const ending = work
        work = undefined
        await ending[Symbol.asyncDispose]()
      }
      await sleep(this.#leaseMs / 4, undefined, { signal }).catch(() => undefined)
    }
    await work?.[Symbol.asyncDispose]()
    await this.release().catch((error) =>
      log.error({ err: error, todo: 'nothing: it runs out by itself' }, 'the lease cannot be given back'),
    )
  }
}
