/**
 * The blocks of one repository in pages, so that an export holds no transaction while its client is
 * slow.
 */
import { type Kysely, type SelectQueryBuilder, sql } from 'kysely'
import type { Args, Sqlite } from '#platform/sqlite.ts'
import { CID_BYTES, type Cid, cidFromBytes } from '#protocol/cid.ts'
import { countUpTo, joined, lengths, numbersIn } from './runs.ts'
import type { Schema } from './schema.ts'

/** Which blocks of a repository an export wants. */
export interface PageOptions {
  /** The id of the repository as it was when the export began. */
  readonly repo: number
  /** Blocks of this revision and before. */
  readonly rev: string
  /** Blocks after this revision; an empty text for all. */
  readonly since: string
  /** The page ends with the block that reaches this size. */
  readonly bytesMax: number
}

/** Blocks back to back, each behind its CID. */
export interface BlockRun {
  readonly bytes: Buffer
  /** The length of each block, its CID left out. */
  readonly lengths: readonly number[]
}

/** A page of blocks, and where its last one stands: the next page begins after it. */
export interface Page<Place> extends BlockRun {
  readonly last: Place
}

/** Where a record stands in the order of revisions. */
export interface RecordPlace {
  readonly rev: string
  readonly id: number
}

/** Blocks that a page has at most. */
const PAGE_BLOCKS_MAX = 2_000

type Wanted = { repo: number; rev: string; since: string }
type Limited = { limit: number }

export class RepoPages {
  readonly #nodes
  readonly #records
  readonly #recordPlace
  readonly #retired

  constructor(db: Sqlite<Schema>) {
    this.#nodes = runs(db, (q, arg: Args<Wanted & Limited & { after: Buffer }>) =>
      q
        .selectFrom('node')
        .select(['cid', 'block'])
        .where('repo', '=', arg.repo)
        .where('cid', '>', arg.after)
        .where('rev', '<=', arg.rev)
        .where('rev', '>', arg.since)
        .orderBy('cid')
        .limit(arg.limit),
    )
    type After = { repo: number; rev: string; after: string; id: number }
    const records = (q: Kysely<Schema>, arg: Args<After>) =>
      q
        .selectFrom('record')
        .where('repo', '=', arg.repo)
        .where((e) => e(e.refTuple('rev', 'id'), '>', e.tuple(arg.after, arg.id)))
        .where('rev', '<=', arg.rev)
        .orderBy('rev')
        .orderBy('id')
    this.#records = runs(db, (q, arg: Args<After & Limited>) =>
      records(q, arg).select(['cid', 'block']).limit(arg.limit),
    )
    this.#recordPlace = db.prepare((q, arg: Args<After & { index: number }>) =>
      records(q, arg).select(['rev', 'id']).limit(1).offset(arg.index),
    )
    this.#retired = db.prepare((q, arg: Args<Wanted & { after: number }>) =>
      q
        .selectFrom('retired_block')
        .select(['id', 'cid', 'block'])
        .where('repo', '=', arg.repo)
        .where('id', '>', arg.after)
        .where('rev', '<=', arg.rev)
        .where('rev', '>', arg.since)
        .orderBy('id'),
    )
  }

  /** Nodes in the order of their CIDs, after the given CID; undefined when there are no more. */
  nodes(options: PageOptions, after?: Cid): Page<Cid> | undefined {
    const place = Buffer.from(after ?? '', 'latin1')
    const run = this.#nodes({ ...options, after: place }, options.bytesMax)
    const lastLength = run?.lengths.at(-1)
    if (run === undefined || lastLength === undefined) return undefined
    return { ...run, last: cidFromBytes(run.bytes, run.bytes.length - lastLength - CID_BYTES) }
  }

  /**
   * Records in the order of their revisions, after the given place; undefined when there are no
   * more.
   */
  records(options: PageOptions, place?: RecordPlace): Page<RecordPlace> | undefined {
    const { repo, rev, bytesMax } = options
    // Behind a revision stands every record of it.
    const { rev: after, id } = place ?? { rev: options.since, id: Number.MAX_SAFE_INTEGER }
    const from = { repo, rev, after, id }
    const run = this.#records(from, bytesMax)
    if (run === undefined) return undefined
    const last = this.#recordPlace.get({ ...from, index: run.lengths.length - 1 })
    if (last === undefined) throw new Error('a page without its last record')
    return { ...run, last }
  }

  /**
   * Blocks that left the repository during the export, after the given id (0 to begin). Few, so as
   * rows.
   */
  retired(options: PageOptions, after: number): { id: number; cid: Cid; block: Buffer }[] {
    const page = []
    let bytes = 0
    for (const row of this.#retired.iterate({ ...options, after })) {
      page.push({ ...row, cid: cidFromBytes(row.cid) })
      bytes += row.block.length
      if (bytes >= options.bytesMax) break
    }
    return page
  }
}

/**
 * Prepares what reads the beginning of a list of blocks as one run: the first as many as reach a
 * size.
 * @param list the blocks in their order, at most so many as its `limit` says
 */
function runs<A>(
  db: Sqlite<Schema>,
  list: (
    q: Kysely<Schema>,
    arg: Args<A & Limited>,
  ) => SelectQueryBuilder<Schema, never, { cid: Buffer; block: Buffer }>,
): (args: A, bytesMax: number) => BlockRun | undefined {
  const extent = db.prepare((q, arg: Args<A & Limited>) =>
    q.selectFrom(list(q, arg).as('listed')).select(lengths('block').as('lengths')),
  )
  const bytes = db.prepare((q, arg: Args<A & Limited>) =>
    q.selectFrom(list(q, arg).as('listed')).select(joined(sql`cid || block`).as('bytes')),
  )
  return (args, bytesMax) => {
    const known = numbersIn(extent.get({ ...args, limit: PAGE_BLOCKS_MAX })?.lengths ?? null)
    const count = countUpTo(bytesMax, known)
    if (count === 0) return undefined
    const run = bytes.get({ ...args, limit: count })
    return run && { ...run, lengths: known.slice(0, count) }
  }
}
