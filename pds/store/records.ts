/** The present records of every repository. */

import { sql } from 'kysely'
import type { Args, Sqlite, Tx } from '#platform/sqlite.ts'
import { CID_BYTES, type Cid, cidFromBytes, cidToBytes } from '#protocol/cid.ts'
import { cut, joined, listed, numbersIn } from './runs.ts'
import { repoOf, type Schema } from './schema.ts'

/** A record's place in a repository. */
export interface RecordPath {
  readonly collection: string
  readonly rkey: string
}

/** Where a record stands, without its contents. */
export interface RecordRef {
  readonly id: number
  readonly cid: Cid
  readonly rev: string
}

/** A record with its contents as a DAG-CBOR block. */
export interface StoredRecord {
  readonly rkey: string
  readonly cid: Cid
  readonly block: Buffer
}

/** A record, and why it was taken down; null when it was not. */
export interface JudgedRecord extends StoredRecord {
  readonly takedownRef: string | null
}

/** A record as it is written. */
export interface NewRecord extends RecordPath {
  readonly cid: Cid
  readonly block: Buffer
  /** What a like, repost, follow or block points at. */
  readonly subject: string | null
}

/** One page of `listRecords`. */
export interface ListOptions {
  readonly account: number
  readonly collection: string
  readonly limit: number
  /** Leave out keys up to and including this one, in the direction of the page. */
  readonly cursor?: string
  /** From the lowest key upwards instead of from the highest downwards. */
  readonly reverse: boolean
}

export class RecordStore {
  readonly #find
  readonly #get
  readonly #descending
  readonly #ascending
  readonly #nextCollection
  readonly #bySubject
  readonly #byCid
  readonly #since
  readonly #upTo
  readonly #insert
  readonly #update
  readonly #delete
  readonly #setTakedown
  readonly #counts

  constructor(db: Sqlite<Schema>) {
    type Path = { account: number; collection: string; rkey: string }
    this.#find = db.prepare((q, arg: Args<Path>) =>
      q
        .selectFrom('record')
        .select(['id', 'cid', 'rev'])
        .where('repo', '=', repoOf(q, arg.account))
        .where('collection', '=', arg.collection)
        .where('rkey', '=', arg.rkey),
    )
    this.#get = db.prepare((q, arg: Args<Path>) =>
      q
        .selectFrom('record')
        .select(['rkey', 'cid', 'block', 'takedownRef'])
        .where('repo', '=', repoOf(q, arg.account))
        .where('collection', '=', arg.collection)
        .where('rkey', '=', arg.rkey),
    )
    const page = (direction: 'asc' | 'desc') =>
      db.prepare((q, arg: Args<Path & { limit: number }>) =>
        q
          .selectFrom(
            q
              .selectFrom('record')
              .select(['rkey', 'cid', 'block', sql`length(cid) + length(block)`.as('length')])
              .where('repo', '=', repoOf(q, arg.account))
              .where('collection', '=', arg.collection)
              .where('rkey', direction === 'asc' ? '>' : '<', arg.rkey)
              .where('takedownRef', 'is', null)
              .orderBy('rkey', direction)
              .limit(arg.limit)
              .as('listed'),
          )
          .select([
            listed('rkey').as('rkeys'),
            listed('length').as('lengths'),
            joined(sql`cid || block`).as('bytes'),
          ]),
      )
    this.#ascending = page('asc')
    this.#descending = page('desc')
    this.#nextCollection = db.prepare((q, arg: Args<{ account: number; after: string }>) =>
      q
        .selectFrom('record')
        .select('collection')
        .where('repo', '=', repoOf(q, arg.account))
        .where('collection', '>', arg.after)
        .orderBy('collection')
        .limit(1),
    )
    this.#bySubject = db.prepare((q, arg: Args<{ account: number; collection: string; subject: string }>) =>
      q
        .selectFrom('record')
        .select('rkey')
        .where('repo', '=', repoOf(q, arg.account))
        .where('collection', '=', arg.collection)
        .where('subject', '=', arg.subject),
    )
    this.#byCid = db.prepare((q, arg: Args<{ account: number; cid: Buffer; digestStart: Buffer }>) =>
      q
        .selectFrom('record')
        .select('block')
        .where('repo', '=', repoOf(q, arg.account))
        // As the index has it.
        .where(sql`substr(cid, 5, 8)`, '=', arg.digestStart)
        .where('cid', '=', arg.cid)
        .limit(1),
    )
    this.#since = db.prepare((q, arg: Args<{ account: number; rev: string; limit: number }>) =>
      q
        .selectFrom('record')
        .select(['collection', 'rkey', 'cid', 'rev', 'block'])
        .where('repo', '=', repoOf(q, arg.account))
        .where('rev', '>', arg.rev)
        .orderBy('rev')
        .limit(arg.limit),
    )
    this.#upTo = db.prepare((q, arg: Args<{ account: number; rev: string }>) =>
      q
        .selectFrom('record')
        .select('id')
        .where('repo', '=', repoOf(q, arg.account))
        .where('rev', '<=', arg.rev)
        .limit(1),
    )
    type New = Omit<Schema['record'], 'id' | 'repo' | 'takedownRef'> & { account: number }
    this.#insert = db.prepare((q, arg: Args<New>) =>
      q.insertInto('record').values({
        repo: repoOf(q, arg.account),
        collection: arg.collection,
        rkey: arg.rkey,
        cid: arg.cid,
        rev: arg.rev,
        subject: arg.subject,
        block: arg.block,
      }),
    )
    this.#update = db.prepare(
      (q, arg: Args<{ id: number; cid: Buffer; rev: string; subject: string | null; block: Buffer }>) =>
        q
          .updateTable('record')
          .set({ cid: arg.cid, rev: arg.rev, subject: arg.subject, block: arg.block })
          .where('id', '=', arg.id),
    )
    this.#delete = db.prepare((q, arg: Args<{ id: number }>) =>
      q.deleteFrom('record').where('id', '=', arg.id),
    )
    this.#setTakedown = db.prepare((q, arg: Args<Path & { takedownRef: string | null }>) =>
      q
        .updateTable('record')
        .set({ takedownRef: arg.takedownRef })
        .where('repo', '=', repoOf(q, arg.account))
        .where('collection', '=', arg.collection)
        .where('rkey', '=', arg.rkey),
    )
    this.#counts = db.prepare((q, arg: Args<{ account: number }>) =>
      q
        .selectFrom('record')
        .select((e) => [
          e.fn.countAll<number>().as('records'),
          // By the part of their CIDs that the index has.
          sql<number>`count(DISTINCT substr(cid, 5, 8))`.as('blocks'),
        ])
        .where('repo', '=', repoOf(q, arg.account)),
    )
  }

  find(account: number, { collection, rkey }: RecordPath): RecordRef | undefined {
    const row = this.#find.get({ account, collection, rkey })
    return row && { ...row, cid: cidFromBytes(row.cid) }
  }

  get(account: number, { collection, rkey }: RecordPath): JudgedRecord | undefined {
    const row = this.#get.get({ account, collection, rkey })
    return row && { ...row, cid: cidFromBytes(row.cid) }
  }

  /** A page of one collection, without what was taken down, newest key first unless `reverse`. */
  list({ account, collection, limit, cursor, reverse }: ListOptions): StoredRecord[] {
    const page = reverse
      ? this.#ascending.get({ account, collection, limit, rkey: cursor ?? '' })
      : this.#descending.get({ account, collection, limit, rkey: cursor ?? ABOVE_EVERY_KEY })
    if (page === undefined || page.rkeys === null) return []
    const sections = cut(page.bytes, numbersIn(page.lengths))
    // No record key has a comma.
    return page.rkeys.split(',').map((rkey, i) => {
      const section = sections[i] as Buffer
      return { rkey, cid: cidFromBytes(section), block: section.subarray(CID_BYTES) }
    })
  }

  /**
   * The names of the collections that have records, in order. A seek each, however many records
   * there are.
   */
  collections(account: number): string[] {
    const found: string[] = []
    for (;;) {
      const next = this.#nextCollection.get({ account, after: found.at(-1) ?? '' })
      if (next === undefined) return found
      found.push(next.collection)
    }
  }

  /** The keys of the records of a collection that point at `subject`. */
  withSubject(account: number, collection: string, subject: string): string[] {
    return this.#bySubject.all({ account, collection, subject }).map((row) => row.rkey)
  }

  /** The block of a present record, by its CID. */
  block(account: number, cid: Cid): Buffer | undefined {
    const bytes = cidToBytes(cid)
    return this.#byCid.get({ account, cid: bytes, digestStart: bytes.subarray(4, 12) })?.block
  }

  /** The first records that revisions after `rev` wrote, in the order of their revisions. */
  since(account: number, rev: string, limit: number): (RecordPath & StoredRecord & { rev: string })[] {
    return this.#since.all({ account, rev, limit }).map((row) => ({ ...row, cid: cidFromBytes(row.cid) }))
  }

  /** Whether there is a record that `rev` or a revision before it wrote. */
  hasUpTo(account: number, rev: string): boolean {
    return this.#upTo.get({ account, rev }) !== undefined
  }

  /** @returns the id of the new row */
  insert(_tx: Tx, account: number, rev: string, record: NewRecord): number {
    return this.#insert.insert({ ...record, account, rev, cid: cidToBytes(record.cid) })
  }

  update(_tx: Tx, id: number, rev: string, { cid, subject, block }: NewRecord): void {
    this.#update.run({ id, rev, subject, block, cid: cidToBytes(cid) })
  }

  delete(_tx: Tx, id: number): void {
    this.#delete.run({ id })
  }

  /**
   * Takes a record down for a reason, or (null) lifts that; nothing when there is no such record.
   */
  setTakedown(_tx: Tx, account: number, { collection, rkey }: RecordPath, takedownRef: string | null): void {
    this.#setTakedown.run({ account, collection, rkey, takedownRef })
  }

  /** How many records an account has, and of how many different blocks. */
  counts(account: number): { readonly records: number; readonly blocks: number } {
    return this.#counts.get({ account }) ?? { records: 0, blocks: 0 }
  }
}

/** Record keys are ASCII: this sorts after all of them. */
const ABOVE_EVERY_KEY = '\x7f'
