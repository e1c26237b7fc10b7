/** The firehose as a table: each row is a frame as it is sent. */
import type { Args, Sqlite, Tx } from '#platform/sqlite.ts'
import type { Schema } from './schema.ts'

export interface EventRow {
  readonly seq: number
  readonly frame: Buffer
}

export class EventStore {
  readonly #sequence
  readonly #after
  readonly #first
  readonly #append

  constructor(db: Sqlite<Schema>) {
    // AUTOINCREMENT keeps the highest `seq` ever given here, deleted rows included.
    this.#sequence = db.prepare((q) =>
      q
        .withTables<{ sqlite_sequence: { name: string; seq: number } }>()
        .selectFrom('sqlite_sequence')
        .select('seq')
        .where('name', '=', 'event'),
    )
    this.#after = db.prepare((q, arg: Args<{ cursor: number; last: number; limit: number }>) =>
      q
        .selectFrom('event')
        .select(['seq', 'frame'])
        .where('seq', '>', arg.cursor)
        .where('seq', '<=', arg.last)
        // What is being deleted is deleted for everybody at once.
        .where('account', 'not in', q.selectFrom('deletion').select('deletion.account'))
        .orderBy('seq')
        .limit(arg.limit),
    )
    this.#first = db.prepare((q, arg: Args<{ cursor: number }>) =>
      q.selectFrom('event').select(['seq', 'time']).where('seq', '>', arg.cursor).orderBy('seq').limit(1),
    )
    this.#append = db.prepare((q, arg: Args<Schema['event']>) =>
      q.insertInto('event').values({ seq: arg.seq, account: arg.account, time: arg.time, frame: arg.frame }),
    )
  }

  /** The highest `seq` that was ever given; 0 when none was. */
  lastSeq(): number {
    return this.#sequence.get({})?.seq ?? 0
  }

  /**
   * Frames after `cursor` up to `last`: at most `limit`, ending with the one that reaches
   * `bytesMax`.
   */
  page(cursor: number, last: number, limit: number, bytesMax: number): EventRow[] {
    const page: EventRow[] = []
    let bytes = 0
    for (const row of this.#after.iterate({ cursor, last, limit })) {
      page.push(row)
      bytes += row.frame.length
      if (bytes >= bytesMax) break
    }
    return page
  }

  /** The first event after `cursor`. */
  firstAfter(cursor: number): { readonly seq: number; readonly time: string } | undefined {
    return this.#first.get({ cursor })
  }

  append(tx: Tx, seq: number, account: number, frame: Buffer): void {
    this.#append.run({ seq, account, time: tx.now, frame })
  }
}
