/**
 * Writes events into the index: a batch of them and the cursor behind them in one transaction, so that whatever ends the process leaves
 * the rows of exactly the events before the cursor.
 *
 * An event may come twice (after a reconnect, or from two endpoints); its repository's revision tells. Rows are replaced by URI, whatever was there
 * before, and engagement changes by what the rows changed.
 */
import { type Kysely, sql, type Transaction } from 'kysely'
import { crashPoint } from '#platform/crash-points.ts'
import {
  type ActorRow,
  type EdgeRow,
  type EngagementRow,
  type GeneratorRow,
  type PostRow,
  type RepoRow,
  type RepostRow,
  type Schema,
  tierOf,
} from './schema.ts'

/** What a commit did to one record: `row` is null when it is gone, or is no longer of a kind that is indexed. */
export type Change =
  | { table: 'posts'; uri: string; row: PostRow | null }
  | { table: 'likes'; uri: string; row: EdgeRow | null }
  | { table: 'reposts'; uri: string; row: RepostRow | null }
  | { table: 'follows'; uri: string; row: EdgeRow | null }
  | { table: 'generators'; uri: string; row: GeneratorRow | null }

/** A repository has a new commit. CIDs are in their text form. */
export interface CommitChange {
  kind: 'commit'
  did: string
  rev: string
  since: string | null
  /** The root of the tree before; senders that predate it leave it out. */
  prevData?: string
  data: string
  changes: Change[]
}

/** A repository stands at this commit, however it came there. */
export interface SyncChange {
  kind: 'sync'
  did: string
  rev: string
  data: string
}

/** An account is served, or is not any more. */
export interface AccountChange {
  kind: 'account'
  did: string
  active: boolean
  status?: string
}

export type IndexEvent = CommitChange | SyncChange | AccountChange

/**
 * What became of an event: `stale` ones had been seen before (or newer ones of that repository), `deleted` ones are of an account that is
 * gone; after a `jumped` one it is not known which older records of the repository are still there.
 */
export type Outcome = 'applied' | 'jumped' | 'stale' | 'deleted'

/** How far an endpoint was followed. */
export interface Position {
  endpoint: string
  seq: number
}

type Tx = Transaction<Schema>
type Rows<T> = Map<string, T | null>

/** Rows in one statement; SQLite takes 32,766 values. */
const rowsPerStatementMax = 500

export class IndexWriter {
  readonly #db: Kysely<Schema>

  constructor(db: Kysely<Schema>) {
    this.#db = db
  }

  /** Writes the events in their order, and how far that brings the endpoint. Resolves, with what became of each, once it is committed. */
  async apply(events: readonly IndexEvent[], position?: Position): Promise<Outcome[]> {
    const outcomes = await this.#db.transaction().execute(async (tx) => {
      const batch = await Batch.begin(tx, events)
      const outcomes: Outcome[] = []
      for (const event of events) outcomes.push(await batch.add(event))
      await batch.end()
      if (position) await moveCursor(tx, position)
      crashPoint('index.beforeCommit')
      return outcomes
    })
    crashPoint('index.afterCommit')
    return outcomes
  }

  /** How far the endpoint was followed; undefined when it never was. */
  async cursor(endpoint: string): Promise<number | undefined> {
    const query = this.#db.selectFrom('cursors').select('seq').where('endpoint', '=', endpoint)
    return (await query.executeTakeFirst())?.seq
  }

  /** Forgets how far the endpoint was followed. */
  async forgetCursor(endpoint: string): Promise<void> {
    await this.#db.deleteFrom('cursors').where('endpoint', '=', endpoint).execute()
  }
}

/** The events of one transaction: what they make of repositories and accounts, and the rows that are still to be written. */
class Batch {
  readonly #tx: Tx
  readonly #repos: Map<string, RepoRow>
  readonly #deleted: Set<string>
  readonly #touched = new Set<string>()
  readonly #actors = new Map<string, ActorRow>()
  #draft = new Draft()

  private constructor(tx: Tx, repos: Map<string, RepoRow>, deleted: Set<string>) {
    this.#tx = tx
    this.#repos = repos
    this.#deleted = deleted
  }

  static async begin(tx: Tx, events: readonly IndexEvent[]): Promise<Batch> {
    const repos = new Map<string, RepoRow>()
    const deleted = new Set<string>()
    for (const dids of chunks([...new Set(events.map(({ did }) => did))])) {
      const rows = await tx.selectFrom('repos').selectAll().where('did', 'in', dids).execute()
      for (const row of rows) repos.set(row.did, row)
      const gone = tx
        .selectFrom('actors')
        .select('did')
        .where('did', 'in', dids)
        .where('status', '=', DELETED)
      for (const { did } of await gone.execute()) deleted.add(did)
    }
    return new Batch(tx, repos, deleted)
  }

  async add(event: IndexEvent): Promise<Outcome> {
    if (event.kind === 'account') return this.#addAccount(event)
    const { did, rev, data } = event
    if (this.#deleted.has(did)) return 'deleted'
    const known = this.#repos.get(did)
    if (known && rev <= known.rev) return 'stale'
    const jumps = known !== undefined && !follows(event, known)
    if (jumps) await this.#distrust(did)
    if (event.kind === 'commit') for (const change of event.changes) this.#draft.add(change)
    this.#repos.set(did, { did, rev, data, jumped: jumps ? 1 : (known?.jumped ?? 0) })
    this.#touched.add(did)
    return jumps ? 'jumped' : 'applied'
  }

  async end(): Promise<void> {
    await this.#draft.write(this.#tx)
    const repos = [...this.#touched].flatMap((did) => this.#repos.get(did) ?? [])
    for (const rows of chunks(repos)) {
      await this.#tx
        .insertInto('repos')
        .values(rows)
        .onConflict((conflict) =>
          conflict.column('did').doUpdateSet((row) => ({
            rev: row.ref('excluded.rev'),
            data: row.ref('excluded.data'),
            jumped: row.ref('excluded.jumped'),
          })),
        )
        .execute()
    }
    for (const rows of chunks([...this.#actors.values()])) {
      await this.#tx
        .insertInto('actors')
        .values(rows)
        .onConflict((conflict) =>
          conflict.column('did').doUpdateSet((row) => ({
            active: row.ref('excluded.active'),
            status: row.ref('excluded.status'),
          })),
        )
        .execute()
    }
  }

  async #addAccount({ did, active, status }: AccountChange): Promise<Outcome> {
    const deleted = !active && status === DELETED
    this.#actors.set(did, { did, active: active ? 1 : 0, status: active ? null : (status ?? null) })
    if (deleted) {
      this.#deleted.add(did)
      await this.#writeDraft()
      await deleteRecords(this.#tx, did)
      await this.#tx.deleteFrom('repos').where('did', '=', did).execute()
      this.#repos.delete(did)
    } else this.#deleted.delete(did)
    return 'applied'
  }

  /** What was indexed of the repository so far is not shown until somebody looks whether it is still there. */
  async #distrust(did: string): Promise<void> {
    await this.#writeDraft()
    await this.#tx.updateTable('posts').set({ unsure: 1 }).where('author', '=', did).execute()
    await this.#tx.updateTable('reposts').set({ unsure: 1 }).where('author', '=', did).execute()
  }

  async #writeDraft(): Promise<void> {
    await this.#draft.write(this.#tx)
    this.#draft = new Draft()
  }
}

/** The status of an account that is gone for good. */
const DELETED = 'deleted'

/** Whether no change lies between what is known of a repository and the event. */
function follows(event: CommitChange | SyncChange, known: RepoRow): boolean {
  if (event.kind === 'sync') return event.data === known.data
  return event.prevData === undefined ? event.since === known.rev : event.prevData === known.data
}

/** Rows to be replaced, the last word on each. */
class Draft {
  readonly #posts: Rows<PostRow> = new Map()
  readonly #likes: Rows<EdgeRow> = new Map()
  readonly #reposts: Rows<RepostRow> = new Map()
  readonly #follows: Rows<EdgeRow> = new Map()
  readonly #generators: Rows<GeneratorRow> = new Map()

  add(change: Change): void {
    switch (change.table) {
      case 'posts':
        this.#posts.set(change.uri, change.row)
        break
      case 'likes':
        this.#likes.set(change.uri, change.row)
        break
      case 'reposts':
        // Set anew, it comes after what arrived in between.
        this.#reposts.delete(change.uri)
        this.#reposts.set(change.uri, change.row)
        break
      case 'follows':
        this.#follows.set(change.uri, change.row)
        break
      case 'generators':
        this.#generators.set(change.uri, change.row)
        break
    }
  }

  async write(tx: Tx): Promise<void> {
    const engagement = new Engagement()
    await replaceLikes(tx, this.#likes, engagement)
    await replaceReposts(tx, this.#reposts, engagement)
    await replaceFollows(tx, this.#follows)
    await replaceGenerators(tx, this.#generators)
    const posts = await removePosts(tx, this.#posts, engagement)
    await engagement.write(tx)
    await insertPosts(tx, posts)
  }
}

async function replaceLikes(tx: Tx, rows: Rows<EdgeRow>, engagement: Engagement): Promise<void> {
  for (const uris of chunks([...rows.keys()])) {
    const removed = await tx
      .deleteFrom('likes')
      .where('uri', 'in', uris)
      .returning(['author', 'subject'])
      .execute()
    const added = present(rows, uris)
    await engagement.countPeople(tx, 'likes', removed, added)
    if (added.length > 0) await tx.insertInto('likes').values(added).execute()
  }
}

async function replaceReposts(tx: Tx, rows: Rows<RepostRow>, engagement: Engagement): Promise<void> {
  for (const uris of chunks([...rows.keys()])) {
    const removed = await tx
      .deleteFrom('reposts')
      .where('uri', 'in', uris)
      .returning(['author', 'subject'])
      .execute()
    const added = present(rows, uris)
    await engagement.countPeople(tx, 'reposts', removed, added)
    const values = added.map((row) => ({ ...row, unsure: 0 }))
    if (values.length > 0) await tx.insertInto('reposts').values(values).execute()
  }
}

async function replaceFollows(tx: Tx, rows: Rows<EdgeRow>): Promise<void> {
  for (const uris of chunks([...rows.keys()])) {
    await tx.deleteFrom('follows').where('uri', 'in', uris).execute()
    const added = present(rows, uris)
    if (added.length > 0) await tx.insertInto('follows').values(added).execute()
  }
}

async function replaceGenerators(tx: Tx, rows: Rows<GeneratorRow>): Promise<void> {
  for (const uris of chunks([...rows.keys()])) {
    await tx.deleteFrom('generators').where('uri', 'in', uris).execute()
    const added = present(rows, uris)
    if (added.length > 0) await tx.insertInto('generators').values(added).execute()
  }
}

/** Takes out the old rows and counts old and new; the new ones go in when their engagement is known. */
async function removePosts(tx: Tx, rows: Rows<PostRow>, engagement: Engagement): Promise<PostRow[]> {
  const added: PostRow[] = []
  for (const uris of chunks([...rows.keys()])) {
    const removed = await tx
      .deleteFrom('posts')
      .where('uri', 'in', uris)
      .returning(['reply_parent', 'quote'])
      .execute()
    for (const row of removed) engagement.countPost(row, -1)
    added.push(...present(rows, uris))
  }
  for (const row of added) engagement.countPost(row, 1)
  return added
}

async function insertPosts(tx: Tx, posts: PostRow[]): Promise<void> {
  for (const rows of chunks(posts)) {
    const uris = rows.map(({ uri }) => uri)
    const engaged = await tx.selectFrom('engagement').selectAll().where('subject', 'in', uris).execute()
    const tiers = new Map(engaged.map((row) => [row.subject, tierOf(row)]))
    const values = rows.map((row) => ({ ...row, tier: tiers.get(row.uri) ?? 0, unsure: 0 }))
    await tx.insertInto('posts').values(values).execute()
  }
}

/** Removes every record of an account, and what its records counted for. */
async function deleteRecords(tx: Tx, did: string): Promise<void> {
  for (const table of ['posts', 'likes', 'reposts', 'follows', 'generators'] as const) {
    for (;;) {
      const page = await tx
        .selectFrom(table)
        .select('uri')
        .where('uri', '>', `at://${did}/`)
        // The character after the slash.
        .where('uri', '<', `at://${did}0`)
        .limit(rowsPerStatementMax)
        .execute()
      const draft = new Draft()
      for (const { uri } of page) draft.add({ table, uri, row: null })
      await draft.write(tx)
      if (page.length < rowsPerStatementMax) break
    }
  }
}

async function moveCursor(tx: Tx, position: Position): Promise<void> {
  await tx
    .insertInto('cursors')
    .values(position)
    .onConflict((conflict) => conflict.column('endpoint').doUpdateSet({ seq: position.seq }))
    .execute()
}

type Counts = Omit<EngagementRow, 'subject'>
type Edge = Pick<EdgeRow, 'author' | 'subject'>

/** By how much engagement changes. */
class Engagement {
  readonly #deltas = new Map<string, Counts>()

  /** Counts a post for the one that it answers and the one that it quotes. */
  countPost({ reply_parent, quote }: Pick<PostRow, 'reply_parent' | 'quote'>, by: 1 | -1): void {
    if (reply_parent) this.#of(reply_parent).replies += by
    if (quote) this.#of(quote).quotes += by
  }

  /**
   * Counts people who began or ceased to like or repost something. The removed records must be gone already, and the added ones not yet
   * be there: what is found for the same author and subject is another record, with which nothing changes.
   */
  async countPeople(tx: Tx, table: 'likes' | 'reposts', removed: Edge[], added: Edge[]): Promise<void> {
    const before = new Map(removed.map((edge) => [pairOf(edge), edge]))
    const after = new Map(added.map((edge) => [pairOf(edge), edge]))
    for (const edges of chunks([...new Map([...before, ...after]).values()])) {
      const others = await tx
        .selectFrom(table)
        .select(['author', 'subject'])
        .where(sql<boolean>`(subject, author) in (values ${sql.join(edges.map(pairValue))})`)
        .execute()
      for (const pair of others.map(pairOf)) {
        before.delete(pair)
        after.delete(pair)
      }
    }
    for (const [pair, { subject }] of before) if (!after.has(pair)) this.#of(subject)[table] -= 1
    for (const [pair, { subject }] of after) if (!before.has(pair)) this.#of(subject)[table] += 1
  }

  /** Adds the changes to what is counted, and moves posts to the tier that they now belong to. */
  async write(tx: Tx): Promise<void> {
    const rows = [...this.#deltas]
      .map(([subject, counts]) => ({ subject, ...counts }))
      .filter((row) => !isZero(row))
    for (const deltas of chunks(rows)) {
      const counted = await tx
        .insertInto('engagement')
        .values(deltas)
        .onConflict((conflict) =>
          conflict.column('subject').doUpdateSet((row) => ({
            likes: row('engagement.likes', '+', row.ref('excluded.likes')),
            reposts: row('engagement.reposts', '+', row.ref('excluded.reposts')),
            replies: row('engagement.replies', '+', row.ref('excluded.replies')),
            quotes: row('engagement.quotes', '+', row.ref('excluded.quotes')),
          })),
        )
        .returningAll()
        .execute()
      const none = counted.filter(isZero).map(({ subject }) => subject)
      if (none.length > 0) await tx.deleteFrom('engagement').where('subject', 'in', none).execute()
      await this.#moveTiers(tx, counted)
    }
  }

  async #moveTiers(tx: Tx, counted: EngagementRow[]): Promise<void> {
    const moved = Map.groupBy(
      counted.filter((row) => tierOf(row) !== tierOf(this.#before(row))),
      tierOf,
    )
    for (const [tier, rows] of moved) {
      const uris = rows.map(({ subject }) => subject)
      await tx.updateTable('posts').set({ tier }).where('uri', 'in', uris).execute()
    }
  }

  #before({ subject, likes, reposts, replies, quotes }: EngagementRow): Counts {
    const delta = this.#of(subject)
    return {
      likes: likes - delta.likes,
      reposts: reposts - delta.reposts,
      replies: replies - delta.replies,
      quotes: quotes - delta.quotes,
    }
  }

  #of(subject: string): Counts {
    let counts = this.#deltas.get(subject)
    if (!counts) {
      counts = { likes: 0, reposts: 0, replies: 0, quotes: 0 }
      this.#deltas.set(subject, counts)
    }
    return counts
  }
}

function pairOf({ author, subject }: Edge): string {
  return `${author} ${subject}`
}

function pairValue({ author, subject }: Edge) {
  return sql`(${subject}, ${author})`
}

function isZero({ likes, reposts, replies, quotes }: Counts): boolean {
  return likes === 0 && reposts === 0 && replies === 0 && quotes === 0
}

function present<T>(rows: Rows<T>, uris: string[]): T[] {
  return uris.flatMap((uri) => rows.get(uri) ?? [])
}

function* chunks<T>(all: T[]): Generator<T[]> {
  for (let from = 0; from < all.length; from += rowsPerStatementMax)
    yield all.slice(from, from + rowsPerStatementMax)
}
