/**
 * Puts what happened into the tables: a batch of events and the cursor behind them in one
 * transaction, so that whatever ends the process leaves the rows of exactly the events before the
 * cursor. How events become rows is `batch.ts`'s and `draft.ts`'s.
 */
import { setImmediate as immediate } from 'node:timers/promises'
import { crashPoint } from '#platform/crash-points.ts'
import { type Logger, logger } from '#platform/log.ts'
import type { DefinitionId, PostId } from '../../algorithm/facts.ts'
import type { Store, Tx } from '../store.ts'
import type { DefinitionWriter, MatchWriter } from '../stored-definitions.ts'
import { Batch, type CleaningPlace, type CleaningStep } from './event-batch.ts'
import type { Change, IndexEvent, NewLabel, Outcome, Position, RepositoryContent } from './events.ts'
import { Names } from './id-cache.ts'
import { isRefusal } from './refusals.ts'

/** What became of events, and how many parts of events were dropped. */
interface Applied {
  outcomes: Outcome[]
  partsRefused: number
}

/** Ends a transaction that was only a trial. */
class RolledBack extends Error {}

/** What an event consists of, where that can be told apart. */
type Part = Change | NewLabel

function partsOf(event: IndexEvent): readonly Part[] {
  return 'changes' in event ? event.changes : 'labels' in event ? event.labels : []
}

function withParts(event: IndexEvent, parts: readonly Part[]): IndexEvent {
  return { ...event, ...('changes' in event ? { changes: parts } : { labels: parts }) } as IndexEvent
}

/** Matches that are removed in one transaction. */
const matchesPerStep = 1000
/** Definitions that are noted as served in one transaction. */
const servedPerStep = 100

export class Recorder implements MatchWriter, DefinitionWriter {
  readonly #store: Store
  readonly #names = new Names()
  readonly #log: Logger = logger('index')

  constructor(store: Store) {
    this.#store = store
  }

  /**
   * Writes the events in their order, and how far that brings the endpoint. Resolves, with what
   * became of each, once it is committed; after those stands one `refused` for each part of an
   * event that was dropped. What the store refuses for good keeps nothing else out.
   */
  async apply(events: readonly IndexEvent[], position?: Position): Promise<Outcome[]> {
    const { outcomes, partsRefused } = await this.#apply(events, position)
    return [...outcomes, ...Array<Outcome>(partsRefused).fill('refused')]
  }

  async #apply(events: readonly IndexEvent[], position: Position | undefined): Promise<Applied> {
    try {
      return { outcomes: await this.#commit(events, position), partsRefused: 0 }
    } catch (error) {
      if (events.length === 0 || !isRefusal(error)) throw error
      if (events.length === 1) return this.#applyPart(events[0]!, position, error)
      const middle = events.length >> 1
      const first = await this.#apply(events.slice(0, middle), undefined)
      const second = await this.#apply(events.slice(middle), position)
      return {
        outcomes: [...first.outcomes, ...second.outcomes],
        partsRefused: first.partsRefused + second.partsRefused,
      }
    }
  }

  /** Writes what the store takes of an event that it refused whole. */
  async #applyPart(event: IndexEvent, position: Position | undefined, cause: unknown): Promise<Applied> {
    const parts = partsOf(event)
    const accepted = parts.length > 1 ? await this.#accepted(event, parts) : []
    if (accepted.length > 0 && accepted.length < parts.length) {
      try {
        const outcomes = await this.#commit([withParts(event, accepted)], position)
        return { outcomes, partsRefused: parts.length - accepted.length }
      } catch (error) {
        if (!isRefusal(error)) throw error
      }
    }
    this.#log.error(
      {
        did: event.did,
        kind: event.kind,
        err: cause,
        todo: 'nothing: the rest of the stream goes on; report it if it goes on',
      },
      'the store refuses an event; dropped',
    )
    await this.#commit([], position)
    return { outcomes: ['refused'], partsRefused: 0 }
  }

  /**
   * Those of the event's parts that the store takes, found by halves in transactions that are
   * rolled back.
   */
  async #accepted(event: IndexEvent, parts: readonly Part[]): Promise<Part[]> {
    try {
      await this.#commit([withParts(event, parts)], undefined, { rollBack: true })
      return [...parts]
    } catch (error) {
      if (!isRefusal(error)) throw error
      const [part] = parts
      if (parts.length === 1 && part) {
        this.#log.error(
          {
            did: event.did,
            uri: part.uri,
            err: error,
            todo: 'nothing: the rest of the event is stored; report it if it goes on',
          },
          'the store refuses a record; dropped',
        )
        return []
      }
      const middle = parts.length >> 1
      return [
        ...(await this.#accepted(event, parts.slice(0, middle))),
        ...(await this.#accepted(event, parts.slice(middle))),
      ]
    }
  }

  async #commit(
    events: readonly IndexEvent[],
    position: Position | undefined,
    { rollBack = false } = {},
  ): Promise<Outcome[]> {
    try {
      const outcomes = await this.#store.transaction(async (tx) => {
        const written = await this.#write(tx, events, position)
        if (rollBack) throw new RolledBack()
        return written
      })
      crashPoint('index.afterCommit')
      return outcomes
    } catch (error) {
      this.#names.forget()
      if (error instanceof RolledBack) return []
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

  /**
   * Removes what a repository does not hold any more, in steps between which events are written.
   * Whatever ends it before it is done, the repository still counts as jumped and is fetched once
   * more.
   */
  async clean(content: RepositoryContent): Promise<Outcome> {
    let place: CleaningPlace | undefined
    for (;;) {
      const step = await this.#cleanStep(content, place)
      if ('outcome' in step) return step.outcome
      place = step.next
      await immediate()
    }
  }

  async #cleanStep(content: RepositoryContent, place: CleaningPlace | undefined): Promise<CleaningStep> {
    try {
      return await this.#store.transaction(async (tx) => {
        const batch = await Batch.begin(tx, this.#names, [content])
        const step = await batch.clean(content, place)
        await batch.end()
        return step
      })
    } catch (error) {
      this.#names.forget()
      throw error
    }
  }

  /**
   * Goes a step on with an account that was deleted or has jumped, and whose rows were too many for
   * the transaction of that event. Whatever ends the process in between, the next goes on from
   * there.
   * @returns whether there may be more
   */
  async sweep(): Promise<boolean> {
    try {
      return await this.#store.transaction(async (tx) => {
        const account = await tx.db
          .selectFrom('accounts')
          .select('did')
          .where('sweep', 'is not', null)
          .orderBy('id')
          .limit(1)
          .executeTakeFirst()
        if (account === undefined) return false
        const batch = await Batch.begin(tx, this.#names, [account])
        await batch.sweep(account.did)
        await batch.end()
        return true
      })
    } catch (error) {
      this.#names.forget()
      throw error
    }
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

  async setServed(
    served: readonly { id: DefinitionId; version: number; record: Uint8Array }[],
  ): Promise<void> {
    for (let from = 0; from < served.length; from += servedPerStep) {
      await this.#store.transaction(async ({ db }) => {
        for (const { id, version, record } of served.slice(from, from + servedPerStep)) {
          await db
            .updateTable('definitions')
            .set({ served_version: version, served_record: record })
            .where('id', '=', id)
            .where(({ or, eb }) => or([eb('served_version', 'is', null), eb('served_version', '<', version)]))
            .execute()
        }
      })
    }
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
