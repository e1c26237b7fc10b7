/**
 * The newest posts or reposts of many accounts, in order, without reading all that they ever made:
 * a little of each account is read by its index and merged, as far as nothing older of another
 * account can come in between; then a little more.
 */
import { type RawBuilder, sql } from 'kysely'
import { newestFirst, type Place, type Window } from '../../engine/index-queries.ts'

/**
 * A row by its number, and where it stands. Of a repost the place is the post's, at the time of the
 * repost.
 */
export interface PlacedRow {
  readonly row: number
  readonly place: Place
}

export interface NewestOptions {
  readonly table: 'posts' | 'reposts'
  /** A table `g` of the accounts, in the column `value`, each once. */
  readonly accounts: RawBuilder<unknown>
  readonly window: Pick<Window, 'since' | 'after'>
  /** How many rows of each account are read at first, at least. */
  readonly eachMin: number
  /** Runs a query. */
  all<R>(query: RawBuilder<unknown>): Promise<R[]>
  /** Whether the store has `lateral`. */
  readonly hasLateral: boolean
}

/** Rows of each account that are read at first; each time four times as many. */
const ROWS_EACH_MIN = 4
const ROWS_EACH_MAX = 1024

/** Yields the rows in their order, in batches, to the end of the window. */
export async function* newestOfAccounts(options: NewestOptions): AsyncGenerator<PlacedRow[]> {
  let { after } = options.window
  for (
    let each = Math.max(ROWS_EACH_MIN, Math.min(ROWS_EACH_MAX, options.eachMin));
    ;
    each = Math.min(ROWS_EACH_MAX, each * 4)
  ) {
    const rows = await newestOfEach({ ...options, window: { ...options.window, after } }, each)
    const last = new Map<number, { count: number; place: Place }>()
    for (const { author, place } of rows)
      last.set(author, { count: (last.get(author)?.count ?? 0) + 1, place })
    // Behind the last row that was read of an account there may be more of it.
    const cut = [...last.values()].filter(({ count }) => count === each).map(({ place }) => place)
    const bound = cut.sort(newestFirst)[0]
    const complete = bound === undefined ? rows : rows.filter(({ place }) => newestFirst(place, bound) <= 0)
    yield complete.sort((a, b) => newestFirst(a.place, b.place))
    if (bound === undefined) return
    after = bound
  }
}

/**
 * At most `each` rows of each account, in the order of the index: those of one account stand in
 * their own order.
 */
async function newestOfEach(
  { table, accounts, window: { since, after }, all, hasLateral }: NewestOptions,
  each: number,
): Promise<(PlacedRow & { author: number })[]> {
  const id = sql.ref(table === 'posts' ? 'n.id' : 'n.subject')
  const isThere = table === 'posts' ? sql`and n.present = 1` : sql``
  const isAfter = after ? sql`and (n.sort_at, ${id}) < (${after.sortAt}, ${after.id})` : sql``
  const newest = (columns: RawBuilder<unknown>) => sql`select ${columns} from ${sql.table(table)} n
    where n.author = g.value and n.sort_at >= ${since} ${isThere} ${isAfter}
    order by n.sort_at desc, ${id} desc limit ${each}`
  const columns = sql`n.id as row, n.author, n.sort_at as at, ${id} as id`
  const rows = await all<{ row: number; author: number; at: number; id: number }>(
    hasLateral
      ? sql`select t.row, t.author, t.at, t.id from ${accounts} cross join lateral (${newest(columns)}) t`
      : sql`select ${columns} from ${accounts} cross join ${sql.table(table)} n where n.id in (${newest(sql`n.id`)})`,
  )
  return rows
    .map(({ row, author, at, id }) => ({ row, author, place: { sortAt: at, id } }))
    .sort((a, b) => a.author - b.author || newestFirst(a.place, b.place))
}
