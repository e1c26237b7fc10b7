/**
 * Records to be replaced: the last word on each, whatever was there before. Written all at once,
 * with what they change in engagement and matches.
 */

import type { Rows } from '../rows.ts'
import type { AccountRow, NewRow } from '../schema.ts'
import type { Tx } from '../store.ts'
import { formatUri, LIST, POST } from '../uris.ts'
import { Engagement } from './engagement.ts'
import type { NewRecords } from './events.ts'
import type { Names } from './id-cache.ts'

export type RecordTable = keyof NewRecords

/** A record's place, and what it holds; null when it is gone. */
interface Entry<T extends RecordTable> {
  author: number
  rkey: string
  /** Of the record. Made only where it is looked at. */
  uri: string
  row: NewRecords[T] | null
}

type Entries = { [T in RecordTable]: Map<string, Entry<T>> }

/** Tables in which a record is a row with what it points at, and nothing is counted. */
const plainTables = ['follows', 'blocks', 'list_blocks', 'list_items', 'starter_packs', 'generators'] as const

export class Draft {
  readonly #entries: Entries = {
    posts: new Map(),
    likes: new Map(),
    reposts: new Map(),
    follows: new Map(),
    blocks: new Map(),
    list_blocks: new Map(),
    lists: new Map(),
    list_items: new Map(),
    starter_packs: new Map(),
    profiles: new Map(),
    generators: new Map(),
    definitions: new Map(),
  }

  add<T extends RecordTable>(
    { id, did }: AccountRow,
    table: T,
    rkey: string,
    row: NewRecords[T] | null,
  ): void {
    const entries: Map<string, Entry<T>> = this.#entries[table]
    const key = `${id}/${rkey}`
    // Set again, it comes after what arrived in between.
    entries.delete(key)
    const collection = table === 'posts' ? POST : table === 'lists' ? LIST : undefined
    const uri = collection ? formatUri({ did, collection, rkey }) : ''
    entries.set(key, { author: id, rkey, uri, row })
  }

  async write({ rows, db, now }: Tx, names: Names): Promise<void> {
    const { posts, likes, reposts, lists, profiles, definitions } = this.#entries
    const accounts = await names.accounts(rows, this.#dids())
    const postIds = await names.posts(rows, this.#postUris(), now)
    const listIds = await names.lists(rows, this.#listUris())
    const numbers = { accounts, posts: postIds, lists: listIds }

    const engagement = new Engagement()
    await replaceLikes(rows, [...likes.values()], postIds, engagement)
    await replaceReposts(rows, [...reposts.values()], postIds, engagement)
    for (const table of plainTables) await this.#replacePlain(rows, table, numbers)
    await updateLists(rows, [...lists.values()], listIds)
    await replaceProfiles(rows, [...profiles.values()])
    await updateDefinitions({ rows, db, now }, [...definitions.values()])
    await updatePosts(rows, [...posts.values()], postIds, engagement)
  }

  *#dids(): Generator<string> {
    for (const table of ['follows', 'blocks', 'list_items'] as const)
      for (const { row } of this.#entries[table].values()) if (row) yield row.subject
  }

  *#postUris(): Generator<string> {
    for (const table of ['likes', 'reposts'] as const)
      for (const { row } of this.#entries[table].values()) if (row) yield row.subject
    for (const { uri, row } of this.#entries.posts.values()) {
      yield uri
      for (const other of [row?.reply_root, row?.reply_parent, row?.quote]) if (other) yield other
    }
  }

  *#listUris(): Generator<string> {
    for (const { uri } of this.#entries.lists.values()) yield uri
    for (const table of ['list_items', 'starter_packs', 'list_blocks'] as const)
      for (const { row } of this.#entries[table].values()) if (row) yield row.list
  }

  async #replacePlain(rows: Rows, table: (typeof plainTables)[number], numbers: Numbers): Promise<void> {
    const entries = [...this.#entries[table].values()]
    await rows.remove(table, entries.map(keyOf))
    const added = entries.flatMap((entry) => {
      const points = entry.row && pointsOf(entry.row, numbers)
      return points ? { ...keyOf(entry), ...points } : []
    })
    await rows.insert(table, added as NewRow<typeof table>[])
  }
}

interface Numbers {
  accounts: Map<string, AccountRow>
  lists: Map<string, number>
}

/** What a row of a plain table points at, in numbers; null when that is nothing the index knows. */
function pointsOf(row: { subject?: string; list?: string }, { accounts, lists }: Numbers): object | null {
  const list = row.list === undefined ? undefined : lists.get(row.list)
  if (row.list !== undefined && list === undefined) return null
  const subject = row.subject === undefined ? undefined : accounts.get(row.subject)?.id
  return { ...(list !== undefined && { list }), ...(subject !== undefined && { subject }) }
}

function keyOf({ author, rkey }: { author: number; rkey: string }): { author: number; rkey: string } {
  return { author, rkey }
}

type Ids = Map<string, number>

async function replaceLikes(rows: Rows, entries: Entry<'likes'>[], posts: Ids, engagement: Engagement) {
  const removed = await rows.remove('likes', entries.map(keyOf))
  const added = entries.flatMap(({ author, rkey, row }) => {
    const subject = row ? posts.get(row.subject) : undefined
    return subject === undefined ? [] : { author, rkey, subject }
  })
  await engagement.countPeople(rows, 'likes', removed, added)
  await rows.insert('likes', added)
}

async function replaceReposts(rows: Rows, entries: Entry<'reposts'>[], posts: Ids, engagement: Engagement) {
  const removed = await rows.remove('reposts', entries.map(keyOf))
  const added = entries.flatMap(({ author, rkey, row }) => {
    const subject = row ? posts.get(row.subject) : undefined
    return !row || subject === undefined ? [] : { author, rkey, subject, sort_at: row.sort_at }
  })
  await engagement.countPeople(rows, 'reposts', removed, added)
  await rows.insert('reposts', added)
}

async function updateLists(rows: Rows, entries: Entry<'lists'>[], ids: Ids): Promise<void> {
  const updates = entries.map(({ uri, row }) => ({
    id: ids.get(uri)!,
    present: row ? 1 : 0,
    purpose: row?.purpose ?? null,
    name: row?.name ?? null,
  }))
  await rows.update('lists', ['id'], updates)
}

async function replaceProfiles(rows: Rows, entries: Entry<'profiles'>[]): Promise<void> {
  await rows.remove(
    'profiles',
    entries.map(({ author }) => ({ account: author })),
  )
  const added = entries.flatMap(({ author, row }) =>
    row
      ? { account: author, no_unauthenticated: row.no_unauthenticated ? 1 : 0, looked_at: row.looked_at }
      : [],
  )
  await rows.insert('profiles', added)
}

async function updateDefinitions({ rows, db }: Tx, entries: Entry<'definitions'>[]): Promise<void> {
  if (entries.length === 0) return
  const { version } = await db
    .selectFrom('definitions')
    .select(({ fn }) => fn.max('version').as('version'))
    .executeTakeFirstOrThrow()
  const changed = entries.map((entry, i) => ({
    ...keyOf(entry),
    record: entry.row?.record ?? null,
    version: (version ?? 0) + 1 + i,
  }))
  const made = await rows.insertMissing('definitions', changed)
  const isMade = new Set(made.map(({ version }) => version))
  await rows.update(
    'definitions',
    ['author', 'rkey'],
    changed.filter(({ version }) => !isMade.has(version)),
  )
  const deleted = changed.filter(({ record }) => record === null)
  await rows.update(
    'definitions',
    ['author', 'rkey'],
    deleted.map(({ record, version, ...key }) => ({
      ...key,
      served_version: version,
      served_record: record,
    })),
  )
}

/** The numbers of all posts are there already, with or without a record behind them. */
async function updatePosts(rows: Rows, entries: Entry<'posts'>[], ids: Ids, engagement: Engagement) {
  const before = new Map(
    (
      await rows.find(
        'posts',
        entries.map(({ uri }) => ({ id: ids.get(uri)! })),
      )
    ).map((row) => [row.id, row]),
  )
  const updates = entries.map(({ uri, row }) => {
    const id = ids.get(uri)!
    const known = before.get(id)!
    const refer = (uri: string | null | undefined) => (uri ? (ids.get(uri) ?? null) : null)
    const update = {
      id,
      present: row ? 1 : 0,
      sort_at: row?.sort_at ?? 0,
      seen_at: row?.seen_at ?? known.seen_at,
      reply_root: refer(row?.reply_root),
      reply_parent: refer(row?.reply_parent),
      quote: refer(row?.quote),
      unsure: 0,
    }
    if (known.present) engagement.countPost(known, -1)
    if (row) engagement.countPost(update, 1)
    return update
  })
  await rows.update('posts', ['id'], updates)
  const replaced = [...before.values()].filter(({ present }) => present).map(({ id }) => ({ post: id }))
  await rows.remove('records', replaced)
  await rows.remove('matches', replaced)
  const moved = await engagement.write(rows)
  const present = entries.flatMap(({ uri, row }) => (row ? { post: ids.get(uri)!, row } : []))
  await rows.insert(
    'records',
    present.map(({ post, row }) => ({ post, record: row.record })),
  )
  const matches = present.flatMap(({ post, row }) => {
    const tier = moved.get(post) ?? before.get(post)!.tier
    return (row.matches ?? []).map((definition) => ({ definition, post, tier, sort_at: row.sort_at }))
  })
  await rows.insert('matches', matches)
}
