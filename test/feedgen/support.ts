/**
 * A feed generator for tests: in this process, with an index in a temporary folder that tests can
 * look into.
 */
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import pg from 'pg'
import { type FeedgenConfig, readConfig } from '../../feedgen/config.ts'
import { createFeedgen, type Feedgen } from '../../feedgen/feedgen.ts'
import { temporaryFolder } from '../support/processes.ts'

export const SERVICE_DID = 'did:web:feeds.test'

export interface TestFeedgen extends Feedgen {
  /** The file of its index. */
  file: string
  /** Resolves once the endpoint was followed up to this seq. */
  reached(endpoint: string, seq: number): Promise<void>
  /** The answer of an XRPC query. */
  get(method: string, params?: Record<string, string>, headers?: Record<string, string>): Promise<Answer>
}

export interface Answer {
  status: number
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of any shape
  body: any
}

/** Starts a feed generator. */
export async function startFeedgen(
  config: Pick<FeedgenConfig, 'endpoints' | 'plcUrl'> & Partial<FeedgenConfig>,
): Promise<TestFeedgen> {
  const folder = temporaryFolder()
  const file = config.sqliteLocation ?? path.join(folder.path, 'feedgen.sqlite')
  const feedgen = await createFeedgen({
    ...readConfig({
      FEEDGEN_HOSTNAME: 'feeds.test',
      FEEDGEN_DEV_MODE: 'true',
      FEEDGEN_BACKFILL: 'false',
      FEEDGEN_APPVIEW_URL: '',
    }),
    port: 0,
    reconnectDelayMs: 20,
    sqliteLocation: file,
    ...config,
  })
  return {
    ...feedgen,
    file,
    reached: (endpoint, seq) => eventually(() => cursorOf(file, endpoint) === seq),
    async get(method, params = {}, headers = {}) {
      const response = await fetch(`${feedgen.url}/xrpc/${method}?${new URLSearchParams(params)}`, {
        headers,
      })
      return { status: response.status, body: await response.json() }
    },
    async [Symbol.asyncDispose]() {
      await feedgen[Symbol.asyncDispose]()
      folder[Symbol.dispose]()
    },
  }
}

const waitSecondsMax = 60
const lookEveryMs = 5

/** Waits until something is so. @throws when it does not become so in time */
export async function eventually(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + waitSecondsMax * 1000
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`still not so after ${waitSecondsMax} s: ${isSo}`)
    await sleep(lookEveryMs)
  }
}

/** How far an endpoint was followed, as the file says; undefined when it is not known. */
export function cursorOf(file: string, endpoint: string): number | undefined {
  const db = new Sqlite(file, { readonly: true })
  try {
    return db.prepare('select seq from cursors where endpoint = ?').pluck().get(endpoint) as
      | number
      | undefined
  } finally {
    db.close()
  }
}

/**
 * What an index holds, named by DIDs and URIs, in an order that does not depend on how it came in.
 */
export function dump(file: string): Record<string, unknown[]> {
  const db = new Sqlite(file, { readonly: true })
  try {
    return Object.fromEntries(
      Object.entries(views).map(([table, query]) => [table, inOrder(db.prepare(query).all())]),
    )
  } finally {
    db.close()
  }
}

/** The same of an index in PostgreSQL. */
export async function dumpPostgres(url: string): Promise<Record<string, unknown[]>> {
  await using database = await connectToPostgres(url)
  // Awaited here, since the connection ends with this function.
  return await dumpOf(database.client)
}

/** A connection to an index in PostgreSQL. */
export async function connectToPostgres(url: string): Promise<{ client: pg.Client } & AsyncDisposable> {
  const client = new pg.Client(url)
  await client.connect()
  client.setTypeParser(pg.types.builtins.INT8, Number)
  return { client, [Symbol.asyncDispose]: () => client.end() }
}

/** What the index at the other end of a connection holds. */
export async function dumpOf(client: pg.Client): Promise<Record<string, unknown[]>> {
  const tables: Record<string, unknown[]> = {}
  for (const [table, query] of Object.entries(views)) {
    // Under a name, which PostgreSQL plans a few times and no more.
    const text = query.replaceAll(/hex\(record\)/g, `upper(encode(record, 'hex'))`)
    const { rows } = await client.query({ name: table, text })
    tables[table] = inOrder(rows)
  }
  return tables
}

function inOrder<T>(rows: T[]): T[] {
  const keyed = rows.map((row) => ({ row, key: JSON.stringify(row) }))
  return keyed.sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ row }) => row)
}

const did = (account: string) => `(select did from accounts where id = ${account})`
const uri = (collection: string, table: string) =>
  `'at://' || ${did(`${table}.author`)} || '/${collection}/' || ${table}.rkey`
const post = (id: string) => `(select ${uri('app.bsky.feed.post', 'p')} from posts p where p.id = ${id})`
const list = (id: string) => `(select ${uri('app.bsky.graph.list', 'l')} from lists l where l.id = ${id})`
const record = (collection: string, table: string) =>
  `${uri(collection, table)} as uri, ${did('author')} as author`

/** The tables in words. */
const views = {
  posts: `select ${record('app.bsky.feed.post', 'posts')}, sort_at, seen_at, ${post('posts.reply_root')} as reply_root,
    ${post('posts.reply_parent')} as reply_parent, ${post('posts.quote')} as quote, tier, unsure,
    (select hex(record) from records where post = posts.id) as record from posts where present = 1`,
  engagement: `select ${post('posts.id')} as subject, likes, reposts, replies, quotes from posts
    where likes <> 0 or reposts <> 0 or replies <> 0 or quotes <> 0`,
  likes: `select ${record('app.bsky.feed.like', 'likes')}, ${post('subject')} as subject from likes`,
  reposts: `select ${record('app.bsky.feed.repost', 'reposts')}, ${post('subject')} as subject, sort_at, unsure from reposts`,
  follows: `select ${record('app.bsky.graph.follow', 'follows')}, ${did('subject')} as subject from follows`,
  blocks: `select ${record('app.bsky.graph.block', 'blocks')}, ${did('subject')} as subject from blocks`,
  lists: `select ${record('app.bsky.graph.list', 'lists')}, purpose, name from lists where present = 1`,
  list_items: `select ${record('app.bsky.graph.listitem', 'list_items')}, ${list('list')} as list, ${did('subject')} as subject
    from list_items`,
  starter_packs: `select ${record('app.bsky.graph.starterpack', 'starter_packs')}, ${list('list')} as list from starter_packs`,
  list_blocks: `select ${record('app.bsky.graph.listblock', 'list_blocks')}, ${list('list')} as list from list_blocks`,
  profiles: `select ${did('account')} as author, no_unauthenticated, looked_at from profiles`,
  labels: `select ${did('src')} as src, val, coalesce(${post('post')}, ${did('account')}) as uri, neg, made_at, expires_at from labels`,
  generators: `select ${record('app.bsky.feed.generator', 'generators')} from generators`,
  definitions: `select ${did('author')} as author, rkey, hex(record) as record from definitions`,
  actors: 'select did, active, status from accounts where active = 0',
  repos: 'select did, rev, data, jumped from accounts where rev is not null',
  cursors: 'select endpoint, seq from cursors',
}
