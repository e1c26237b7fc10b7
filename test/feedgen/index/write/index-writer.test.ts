/**
 * The index against a slow, obvious twin: what it holds is told anew from all records after each
 * batch.
 */
import { sql } from 'kysely'
import { describe, expect, onTestFinished, test } from 'vitest'
import { encode } from '#protocol/cbor.ts'
import type { Index } from '../../../../feedgen/index/database.ts'
import { openPostgres } from '../../../../feedgen/index/postgres/store.ts'
import { tierOf } from '../../../../feedgen/index/schema.ts'
import { openSqliteReader } from '../../../../feedgen/index/sqlite/store.ts'
import type { Change, CommitChange, IndexEvent, Outcome } from '../../../../feedgen/index/writer.ts'
import { type Random, seededRandom } from '../../../support/random.ts'
import { connectToPostgres, dump, dumpOf } from '../../support.ts'
import { newLocation, type StoreName, stores, usePostgres, writtenIndex } from '../stores.ts'

/** An index, and a look into its tables in words. */
interface TestIndex {
  index: Index
  tables(): Promise<Record<string, object[]>>
  /** The reposts in the order of their arrival. */
  arrivals(): Promise<string[]>
}

usePostgres()

async function newIndex(store: StoreName): Promise<TestIndex> {
  const location = await newLocation(store)
  const index = await writtenIndex(location)
  const database = store === 'SQLite' ? undefined : await connectToPostgres(location)
  onTestFinished(() => database?.[Symbol.asyncDispose]())
  return {
    index,
    async tables() {
      const all = database === undefined ? dump(location) : await dumpOf(database.client)
      return all as Record<string, object[]>
    },
    async arrivals() {
      const query = sql<{ did: string; rkey: string }>`
        select did, rkey from reposts join accounts on accounts.id = author order by reposts.id`
      const db = store === 'SQLite' ? openSqliteReader(location) : openPostgres(location)
      const { rows } = await query.execute(db)
      await db.destroy()
      return rows.map(({ did, rkey }) => `${did} ${rkey}`)
    },
  }
}

const collections = {
  posts: 'app.bsky.feed.post',
  likes: 'app.bsky.feed.like',
  reposts: 'app.bsky.feed.repost',
  follows: 'app.bsky.graph.follow',
  generators: 'app.bsky.feed.generator',
  blocks: 'app.bsky.graph.block',
  list_blocks: 'app.bsky.graph.listblock',
  lists: 'app.bsky.graph.list',
  list_items: 'app.bsky.graph.listitem',
  starter_packs: 'app.bsky.graph.starterpack',
  profiles: 'app.bsky.actor.profile',
}
type Table = keyof typeof collections
type RepoEvent = Extract<IndexEvent, { kind: 'commit' | 'sync' | 'account' }>
const tables = Object.keys(collections) as Table[]

const authors = ['a', 'b', 'c', 'd'].map((name) => `did:plc:${name}`)
const uriOf = (did: string, table: Table, rkey: number | string) =>
  `at://${did}/${collections[table]}/${rkey}`

/** A random change to one of few records, so that creates, updates and deletes meet. */
function randomChange(random: Random, did: string): Change {
  const table = random.pick(tables)
  const rkey = table === 'profiles' ? 'self' : random.below(4)
  const uri = uriOf(did, table, rkey)
  const post = () => uriOf(random.pick(authors), 'posts', random.below(4))
  const list = () => uriOf(random.pick(authors), 'lists', random.below(4))
  const sort_at = random.below(1000)
  if (random.below(3) === 0) return { table, uri, row: null }
  switch (table) {
    case 'posts': {
      const parent = random.below(2) ? post() : null
      const quote = random.below(3) ? null : post()
      const row = {
        record: Buffer.from(`post ${random.below(10)}`),
        sort_at,
        seen_at: sort_at,
        reply_root: parent,
        reply_parent: parent,
        quote,
      }
      return { table, uri, row }
    }
    case 'likes':
      return { table, uri, row: { subject: post() } }
    case 'reposts':
      return { table, uri, row: { subject: post(), sort_at } }
    case 'follows':
    case 'blocks':
      return { table, uri, row: { subject: random.pick(authors) } }
    case 'generators':
      return { table, uri, row: {} }
    case 'lists':
      return {
        table,
        uri,
        row: { purpose: 'app.bsky.graph.defs#curatelist', name: `list ${random.below(3)}` },
      }
    case 'list_items':
      return { table, uri, row: { list: list(), subject: random.pick(authors) } }
    case 'list_blocks':
    case 'starter_packs':
      return { table, uri, row: { list: list() } }
    case 'profiles':
      return { table, uri, row: { no_unauthenticated: random.below(2) === 0, looked_at: random.below(9) } }
  }
}

/** Repositories that move on at random, and lose an event now and then. */
function* randomEvents(random: Random, count: number): Generator<RepoEvent> {
  const heads = new Map(authors.map((did) => [did, { rev: '', data: 'empty' }]))
  const sent: RepoEvent[] = []
  let clock = 0
  for (let i = 0; i < count; i++) {
    const did = random.pick(authors)
    const head = heads.get(did)!
    const rev = String(++clock).padStart(8, '0')
    const chance = random.below(100)
    let event: RepoEvent
    if (chance < 10 && sent.length > 0) event = random.pick(sent)
    else if (chance < 13)
      event = { kind: 'account', did, active: random.below(2) === 0, status: 'deactivated' }
    else if (chance < 16) event = { kind: 'account', did, active: false, status: 'deleted' }
    else if (chance < 18) event = { kind: 'account', did, active: true }
    else if (chance < 21) {
      const data = random.below(2) ? head.data : `data ${rev}`
      heads.set(did, { rev, data })
      event = { kind: 'sync', did, rev, data }
    } else {
      const data = `data ${rev}`
      const prevData = random.below(10) === 0 ? undefined : head.data
      const changes = Array.from({ length: random.below(4) }, () => randomChange(random, did))
      event = { kind: 'commit', did, rev, since: head.rev || null, prevData, data, changes }
      heads.set(did, { rev, data })
      if (chance < 24) continue
    }
    sent.push(event)
    yield event
  }
}

/** The twin: everything is kept, and the tables are told from it. */
class Twin {
  readonly repos = new Map<string, { rev: string; data: string; jumped: number }>()
  readonly actors = new Map<string, { active: number; status: string | null }>()
  readonly records = new Map<string, { table: Table; row: object; unsure: number }>()

  apply(event: RepoEvent): Outcome {
    const { did } = event
    const isOurs = (uri: string) => uri.startsWith(`at://${did}/`)
    if (event.kind === 'account') {
      const { active, status } = event
      this.actors.set(did, { active: active ? 1 : 0, status: active ? null : (status ?? null) })
      if (active || status !== 'deleted') return 'applied'
      for (const uri of [...this.records.keys()].filter(isOurs)) this.records.delete(uri)
      this.repos.delete(did)
      return 'applied'
    }
    if (this.actors.get(did)?.status === 'deleted') return 'deleted'
    const known = this.repos.get(did)
    if (known && event.rev <= known.rev) return 'stale'
    const continues =
      !known ||
      (event.kind === 'sync'
        ? event.data === known.data
        : event.prevData
          ? event.prevData === known.data
          : event.since === known.rev)
    if (!continues) for (const [uri, record] of this.records) if (isOurs(uri)) record.unsure = 1
    for (const { table, uri, row } of event.kind === 'commit' ? event.changes : []) {
      if (row) this.records.set(uri, { table: table as Table, row: { uri, author: did, ...row }, unsure: 0 })
      else this.records.delete(uri)
    }
    this.repos.set(did, { rev: event.rev, data: event.data!, jumped: continues ? (known?.jumped ?? 0) : 1 })
    return continues ? 'applied' : 'jumped'
  }

  tables(): Record<string, object[]> {
    const rows = (table: Table) => [...this.records.values()].filter((record) => record.table === table)
    const plain = (table: Table) => rows(table).map(({ row }) => row)
    const edges = (table: 'likes' | 'reposts') => plain(table) as { author: string; subject: string }[]
    const posts = plain('posts') as { uri: string; reply_parent: string | null; quote: string | null }[]
    const subjects = new Set([
      ...[...edges('likes'), ...edges('reposts')].map(({ subject }) => subject),
      ...posts.flatMap(({ reply_parent, quote }) => [reply_parent ?? [], quote ?? []].flat()),
    ])
    const people = (table: 'likes' | 'reposts', subject: string) =>
      new Set(
        edges(table)
          .filter((edge) => edge.subject === subject)
          .map(({ author }) => author),
      ).size
    const engagement = [...subjects].map((subject) => ({
      subject,
      likes: people('likes', subject),
      reposts: people('reposts', subject),
      replies: posts.filter(({ reply_parent }) => reply_parent === subject).length,
      quotes: posts.filter(({ quote }) => quote === subject).length,
    }))
    const tier = (uri: string) => {
      const row = engagement.find(({ subject }) => subject === uri)
      return row ? tierOf(row) : 0
    }
    const all: Record<string, object[]> = {
      posts: rows('posts').map(({ row, unsure }) => {
        const { uri, record } = row as { uri: string; record: Buffer }
        return { ...row, record: record.toString('hex').toUpperCase(), tier: tier(uri), unsure }
      }),
      likes: plain('likes'),
      reposts: rows('reposts').map(({ row, unsure }) => ({ ...row, unsure })),
      follows: plain('follows'),
      generators: plain('generators'),
      blocks: plain('blocks'),
      list_blocks: plain('list_blocks'),
      lists: plain('lists'),
      list_items: plain('list_items'),
      starter_packs: plain('starter_packs'),
      profiles: plain('profiles').map((row) => {
        const { author, no_unauthenticated, looked_at } = row as Record<string, unknown>
        return { author, no_unauthenticated: Number(no_unauthenticated), looked_at }
      }),
      labels: [],
      definitions: [],
      engagement,
      actors: [...this.actors].filter(([, { active }]) => !active).map(([did, actor]) => ({ did, ...actor })),
      repos: [...this.repos].map(([did, repo]) => ({ did, ...repo })),
    }
    return sorted(all)
  }
}

function sorted(all: Record<string, object[]>): Record<string, object[]> {
  const inOrder = (rows: object[]) => {
    const keyed = rows.map((row) => ({ row, key: JSON.stringify(Object.entries(row).sort()) }))
    return keyed.sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ row }) => row)
  }
  return Object.fromEntries(Object.entries(all).map(([table, rows]) => [table, inOrder(rows)]))
}

/** The tables as the twin has them: how far endpoints were followed is looked at elsewhere. */
async function tablesOf({ tables }: TestIndex): Promise<Record<string, object[]>> {
  const { cursors, ...rest } = await tables()
  return sorted(rest)
}

describe.for(stores)('the index in %s', (store) => {
  test.for([1, 2, 3, 4, 5, 6])(
    'is what its slow twin is, after each of many random batches (%i)',
    async (seed) => {
      const random = seededRandom(seed)
      const index = await newIndex(store)
      const twin = new Twin()
      let batch: RepoEvent[] = []
      const outcomes = new Set<Outcome>()
      for (const event of randomEvents(random, 600)) {
        batch.push(event)
        if (random.below(8) > 0) continue
        const expected = batch.map((event) => twin.apply(event))
        expect(await index.index.writer.apply(batch)).toEqual(expected)
        for (const outcome of expected) outcomes.add(outcome)
        expect(await tablesOf(index)).toEqual(twin.tables())
        batch = []
      }
      expect(outcomes).toEqual(new Set(['applied', 'jumped', 'stale', 'deleted']))
    },
  )

  test('does not depend on how events are batched, nor on events that come twice', async () => {
    const events = [...randomEvents(seededRandom(7), 400)].filter(({ kind }) => kind !== 'account')
    const one = await newIndex(store)
    await one.index.writer.apply(events)
    const many = await newIndex(store)
    for (const event of events) await many.index.writer.apply([event])
    const twice = await newIndex(store)
    for (let from = 0; from < events.length; from += 20)
      await twice.index.writer.apply(events.slice(from, from + 40))
    expect(await tablesOf(many)).toEqual(await tablesOf(one))
    expect(await many.arrivals()).toEqual(await one.arrivals())
    expect(await tablesOf(twice)).toEqual(await tablesOf(one))
  })

  test('moves the cursor with the events, or neither', async () => {
    const index = await newIndex(store)
    const post = uriOf('did:plc:a', 'posts', 1)
    const like = (rkey: number, data: string, prevData?: string): CommitChange => {
      const uri = uriOf('did:plc:a', 'likes', rkey)
      const changes: Change[] = [{ table: 'likes', uri, row: { subject: post } }]
      return { kind: 'commit', did: 'did:plc:a', rev: String(rkey), since: null, prevData, data, changes }
    }
    await index.index.writer.apply([like(1, 'one')], { endpoint: 'ws://relay', seq: 5 })
    const before = await index.tables()
    expect(before.cursors).toEqual([{ endpoint: 'ws://relay', seq: 5 }])
    // The last statement of the transaction fails: there is no such number.
    const failing = index.index.writer.apply([like(2, 'two', 'one')], {
      endpoint: 'ws://relay',
      seq: null as never,
    })
    await expect(failing).rejects.toThrow()
    expect(await index.tables()).toEqual(before)
    await index.index.writer.apply([like(2, 'two', 'one')], { endpoint: 'ws://relay', seq: 6 })
    expect(await index.index.writer.cursor('ws://relay')).toBe(6)
    expect((await index.tables()).likes).toHaveLength(2)
    expect((await index.tables()).engagement).toMatchObject([{ subject: post, likes: 1 }])
  })

  test('takes more rows at once than fit into a statement', async () => {
    const index = await newIndex(store)
    const count = 1700
    const changes = (row: (uri: string, i: number) => object | null): Change[] =>
      Array.from({ length: count }, (_, i) => {
        const uri = uriOf('did:plc:a', 'likes', i)
        return { table: 'likes', uri, row: row(uri, i) } as Change
      })
    const commit = (rev: string, changes: Change[]): CommitChange => ({
      kind: 'commit',
      did: 'did:plc:a',
      rev,
      since: null,
      data: rev,
      changes,
    })
    const liked = changes((_, i) => ({ subject: uriOf('did:plc:b', 'posts', i) }))
    await index.index.writer.apply([commit('1', liked)])
    expect((await index.tables()).engagement).toHaveLength(count)
    await index.index.writer.apply([{ kind: 'account', did: 'did:plc:a', active: false, status: 'deleted' }])
    while (await index.index.writer.sweep());
    expect(await index.tables()).toMatchObject({ likes: [], engagement: [], repos: [] })
  })

  describe('texts that one of the stores cannot hold', () => {
    const NUL = '\u0000'
    const commit = (did: string, changes: Change[]): CommitChange => ({
      kind: 'commit',
      did,
      rev: '1',
      since: null,
      data: 'one',
      changes,
    })
    const post = (did: string, rkey: string, row: object = {}): Change => ({
      table: 'posts',
      uri: uriOf(did, 'posts', rkey),
      row: {
        record: encode({ $type: 'app.bsky.feed.post', text: rkey }),
        sort_at: 1,
        seen_at: 1,
        reply_root: null,
        reply_parent: null,
        quote: null,
        ...row,
      },
    })

    test('are held in one form by both, and keep nothing out', async () => {
      const { index, tables } = await newIndex(store)
      const purpose = `app.bsky.graph.defs#curatelist${NUL}`
      const lists: [string, string][] = [
        ['1', `a${NUL}b`],
        ['2', 'half \uD83D'],
      ]
      const outcomes = await index.writer.apply([
        commit(
          'did:plc:a',
          lists.map(([rkey, name]) => ({
            table: 'lists',
            uri: uriOf('did:plc:a', 'lists', rkey),
            row: { purpose, name },
          })),
        ),
        commit('did:plc:b', [
          post('did:plc:b', '1', { quote: `at://did:plc:a/app.bsky.feed.post/${NUL}` }),
          post('did:plc:b', '2', { reply_parent: `at://did:plc:${NUL}/app.bsky.feed.post/1` }),
          {
            table: 'likes',
            uri: uriOf('did:plc:b', 'likes', 1),
            row: { subject: `at://did:plc:a/app.bsky.feed.post/${NUL}` },
          },
        ]),
        { kind: 'account', did: 'did:plc:c', active: false, status: `taken${NUL}down` },
        {
          kind: 'labels',
          did: 'did:plc:d',
          labels: [`at://did:plc:b/app.bsky.feed.post/1`, `at://did:plc:b/app.bsky.feed.post/${NUL}`].map(
            (uri) => ({ uri, cid: null, val: `spam${NUL}`, neg: false, madeAt: 1, expiresAt: null }),
          ),
        },
      ])
      expect(outcomes).toEqual(['applied', 'applied', 'applied', 'applied'])
      const liked = uriOf('did:plc:b', 'posts', 1)
      await index.interactions.keep('did:plc:viewer', undefined, [
        { item: liked, event: 'app.bsky.feed.defs#interactionShare', feedContext: NUL, reqId: '\uDC00' },
        { item: `at://did:plc:b/app.bsky.feed.post/${NUL}`, event: NUL },
      ])
      const found = await tables()
      expect(found.lists).toMatchObject([{ name: 'a\uFFFDb' }, { name: 'half \uFFFD' }])
      expect(found.posts).toMatchObject([
        { uri: liked, quote: null },
        { uri: uriOf('did:plc:b', 'posts', 2), reply_parent: null },
      ])
      expect(found.likes).toEqual([])
      expect(found.actors).toMatchObject([{ status: 'taken\uFFFDdown' }])
      expect(found.labels).toMatchObject([{ uri: liked, val: 'spam\uFFFD' }])
      const { facts } = index
      const window = { since: 0, limit: 10 }
      expect(await facts.labelled('did:plc:d', [`spam${NUL}`], window)).toHaveLength(1)
      expect(await facts.accounts([`did:plc:${NUL}`])).toEqual(new Map())
      expect(await facts.postsByUri([`at://did:plc:b/app.bsky.feed.post/${NUL}`])).toEqual(new Map())
      expect(await facts.members(`at://did:plc:${NUL}/app.bsky.graph.list/1`, { limit: 1 })).toEqual([])
      expect(await index.reader.hasGenerator(`at://did:plc:a/app.bsky.feed.generator/${NUL}`)).toBe(false)
      expect([...(await facts.postsByUri([liked, `at://did:plc:b/x/${NUL}`])).keys()]).toEqual([liked])
    })

    test('what the store refuses for good is dropped, and the rest of its batch lands', async () => {
      const { index, tables } = await newIndex(store)
      const did = (i: number) => `did:plc:author${i}`
      const events: IndexEvent[] = Array.from({ length: 9 }, (_, i) =>
        commit(did(i), [post(did(i), '1'), post(did(i), '2', i === 5 ? { sort_at: Number.NaN } : {})]),
      )
      events[2] = commit(did(2), [post(did(2), '1', { sort_at: Number.NaN })])
      events[7] = {
        kind: 'labels',
        did: did(7),
        labels: [1, Number.NaN, 3].map((madeAt, i) => ({
          uri: did(i),
          cid: null,
          val: 'spam',
          neg: false,
          madeAt,
          expiresAt: null,
        })),
      }
      const outcomes = await index.writer.apply(events, { endpoint: 'ws://relay', seq: 9 })
      expect(outcomes).toEqual([
        ...events.map((_, i) => (i === 2 ? 'refused' : 'applied')),
        // A post of one commit, and one label.
        'refused',
        'refused',
      ])
      const { posts, labels, cursors } = await tables()
      expect(posts!.map((row) => (row as { uri: string }).uri).sort()).toEqual(
        [0, 1, 3, 4, 5, 6, 8]
          .flatMap((i) => ['1', '2'].map((rkey) => uriOf(did(i), 'posts', rkey)))
          .filter((uri) => uri !== uriOf(did(5), 'posts', '2')),
      )
      expect(labels).toMatchObject([{ uri: did(0) }, { uri: did(2) }])
      expect(cursors).toEqual([{ endpoint: 'ws://relay', seq: 9 }])
      const next = { ...commit(did(5), [post(did(5), '3')]), rev: '2', prevData: 'one', data: 'two' }
      expect(await index.writer.apply([next])).toEqual(['applied'])
    })
  })
})
