/**
 * Puts what happened into the tables: a batch of events and the cursor behind them in one transaction, so that whatever ends the process leaves
 * the rows of exactly the events before the cursor. How events become rows is `batch.ts`'s and `draft.ts`'s.
 */
import { crashPoint } from '#platform/crash-points.ts'
import type { MatchWriter } from '../facts/definitions.ts'
import type { DefinitionId, PostId } from '../facts/facts.ts'
import { Batch } from './batch.ts'
import type { IndexEvent, Outcome, Position } from './events.ts'
import { Names } from './names.ts'
import type { Store, Tx } from './store.ts'

/** Matches that are removed in one transaction. */
const matchesPerStep = 1000

export class Recorder implements MatchWriter {
  readonly #store: Store
  readonly #names = new Names()

  constructor(store: Store) {
    this.#store = store
  }

  /** Writes the events in their order, and how far that brings the endpoint. Resolves, with what became of each, once it is committed. */
  async apply(events: readonly IndexEvent[], position?: Position): Promise<Outcome[]> {
    try {
      const outcomes = await this.#store.transaction((tx) => this.#write(tx, events, position))
      crashPoint('index.afterCommit')
      return outcomes
    } catch (error) {
      this.#names.forget()
      throw error
    }
  }

  async #write(tx: Tx, events: readonly IndexEvent[], position: Position | undefined): Promise<Outcome[]> {
    const batch = await Batch.begin(tx, this.#names, events)
    const outcomes: Outcome[] = []
    for (const event of events) outcomes.push(await batch.add(event))
    await batch.end()
    if (position) await moveCursor(tx, position)
    crashPoint('index.beforeCommit')
    return outcomes
  }

  /** Forgets what is remembered of the tables: another process may have written them. */
  async reset(): Promise<void> {
    this.#names.forget()
  }

  /** How far the endpoint was followed; undefined when it never was. */
  async cursor(endpoint: string): Promise<number | undefined> {
    const query = this.#store.db.selectFrom('cursors').select('seq').where('endpoint', '=', endpoint)
    return (await query.executeTakeFirst())?.seq
  }

  /** Forgets how far the endpoint was followed. */
  async forgetCursor(endpoint: string): Promise<void> {
    await this.#store.db.deleteFrom('cursors').where('endpoint', '=', endpoint).execute()
  }

  /** The revision of a repository that events have told; null when none did. */
  async rev(did: string): Promise<string | null> {
    const query = this.#store.db.selectFrom('accounts').select('rev').where('did', '=', did)
    return (await query.executeTakeFirst())?.rev ?? null
  }

  // --- matches of the past

  async removeMatches(definition: DefinitionId): Promise<void> {
    for (let removed = matchesPerStep; removed === matchesPerStep; ) {
      removed = await this.#store.transaction(async ({ rows, db }) => {
        const step = await db
          .selectFrom('matches')
          .select(['post', 'definition'])
          .where('definition', '=', definition)
          .limit(matchesPerStep)
          .execute()
        return (await rows.remove('matches', step)).length
      })
    }
  }

  async addMatches(definition: DefinitionId, posts: readonly PostId[]): Promise<void> {
    await this.#store.transaction(async ({ rows }) => {
      const found = await rows.find(
        'posts',
        [...new Set(posts)].map((id) => ({ id })),
      )
      const matches = found.flatMap(({ id, present, tier, sort_at }) =>
        present ? { definition, post: id, tier, sort_at } : [],
      )
      await rows.insertMissing('matches', matches)
    })
  }

  async setFilled(definition: DefinitionId, version: number): Promise<void> {
    await this.#store.transaction(({ rows }) =>
      rows.update('definitions', ['id'], [{ id: definition, filled_version: version }]),
    )
  }
}

async function moveCursor({ db }: Tx, position: Position): Promise<void> {
  await db
    .insertInto('cursors')
    .values(position)
    .onConflict((conflict) => conflict.column('endpoint').doUpdateSet({ seq: position.seq }))
    .execute()
}
