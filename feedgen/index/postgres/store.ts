/**
 * The index in PostgreSQL, where several processes serve and the one that holds the lease writes.
 */
import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { Turns } from '#platform/keyed-mutex.ts'
import { logger } from '#platform/log.ts'
import { PostgresRows } from '../rows.ts'
import type { Schema } from '../schema.ts'
import type { Store } from '../store.ts'
import type { Lease } from './lease.ts'

const connectionsMax = 10

/** Connections for whoever asks. */
export function openPostgres(url: string): Kysely<Schema> {
  const pool = new pg.Pool({
    connectionString: url,
    max: connectionsMax,
    types: {
      // Numbers here are ids, counts and milliseconds: a double holds them all.
      getTypeParser: ((oid: number, format: 'text') =>
        oid === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(oid, format)) as never,
    },
  })
  // A connection that breaks while nobody uses it; the next query gets another.
  pool.on('error', (error) =>
    logger('index').warn(
      {
        err: error,
        todo: 'nothing if PostgreSQL was restarted; else see whether it runs and can be reached',
      },
      'a connection to PostgreSQL broke',
    ),
  )
  return new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) })
}

/**
 * What writes through these connections, one transaction at a time; given a lease, each renews it
 * or fails when another process has it.
 */
export function postgresStore(db: Kysely<Schema>, lease?: Lease): Store {
  const turns = new Turns<'write'>()
  return {
    db,
    transaction: (work) =>
      turns.run('write', () =>
        db.transaction().execute(async (tx) => {
          await lease?.renew(tx)
          return work({ rows: new PostgresRows(tx), db: tx, now: Date.now() })
        }),
      ),
  }
}
