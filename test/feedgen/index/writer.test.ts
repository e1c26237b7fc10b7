/** The index against a slow, obvious twin: what it holds is told anew from all records after each batch. */
import path from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Index, openIndex } from '../../../feedgen/index/database.ts'
import { tierOf } from '../../../feedgen/index/schema.ts'
import type { Change, CommitChange, IndexEvent, Outcome } from '../../../feedgen/index/writer.ts'
import { temporaryFolder } from '../../support/processes.ts'
import { type Random, seededRandom } from '../../support/random.ts'
import { dump } from '../support.ts'

async function newIndex(): Promise<Index & { file: string }> {
  const folder = temporaryFolder()
  const file = path.join(folder.path, 'index.sqlite')
  const index = await openIndex(file)
  onTestFinished(async () => {
    await index[Symbol.asyncDispose]()
    folder[Symbol.dispose]()
  })
  return { ...index, file }
}

const collections = {
  posts: 'app.bsky.feed.post',
  likes: 'app.bsky.feed.like',
  reposts: 'app.bsky.feed.repost',
  follows: 'app.bsky.graph.follow',
  generators: 'app.bsky.feed.generator',
}
type Table = keyof typeof collections
const tables = Object.keys(collections) as Table[]

const authors = ['a', 'b', 'c', 'd'].map((name) => `did:plc:${name}`)
const uriOf = (did: string, table: Table, rkey: number) => `at://${did}/${collections[table]}/${rkey}`

/** A random change to one of few records, so that creates, updates and deletes meet. */
function randomChange(random: Random, did: string): Change {
  const table = random.pick(tables)
  const rkey = random.below(4)
  const uri = uriOf(did, table, rkey)
  const post = () => uriOf(random.pick(authors), 'posts', random.below(4))
  const author = did
  const sort_at = random.below(1000)
  if (random.below(3) === 0) return { table, uri, row: null }
  switch (table) {
    case 'posts': {
      const parent = random.below(2) ? post() : null
      const quote = random.below(3) ? null : post()
      const row = {
        uri,
        cid: 'cid',
        author,
        sort_at,
        seen_at: sort_at,
        reply_root: parent,
        reply_parent: parent,
        quote,
      }
      return { table, uri, row }
    }
    case 'likes':
      return { table, uri, row: { uri, author, subject: post() } }
    case 'reposts':
      return { table, uri, row: { uri, author, subject: post(), sort_at } }
    case 'follows':
      return { table, uri, row: { uri, author, subject: random.pick(authors) } }
    case 'generators':
      return { table, uri, row: { uri, author, rkey: String(rkey) } }
  }
}

/** Repositories that move on at random, and lose an event now and then. */
function* randomEvents(random: Random, count: number): Generator<IndexEvent> {
  const heads = new Map(authors.map((did) => [did, { rev: '', data: 'empty' }]))
  const sent: IndexEvent[] = []
  let clock = 0
  for (let i = 0; i < count; i++) {
    const did = random.pick(authors)
    const head = heads.get(did)!
    const rev = String(++clock).padStart(8, '0')
    const chance = random.below(100)
    let event: IndexEvent
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

  apply(event: IndexEvent): Outcome {
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
      if (row) this.records.set(uri, { table, row, unsure: 0 })
      else this.records.delete(uri)
    }
    this.repos.set(did, { rev: event.rev, data: event.data, jumped: continues ? (known?.jumped ?? 0) : 1 })
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
      posts: rows('posts').map(({ row, unsure }) => ({
        ...row,
        tier: tier((row as { uri: string }).uri),
        unsure,
      })),
      likes: plain('likes'),
      reposts: rows('reposts').map(({ row, unsure }) => ({ ...row, unsure })),
      follows: plain('follows'),
      generators: plain('generators'),
      engagement,
      actors: [...this.actors].map(([did, actor]) => ({ did, ...actor })),
      repos: [...this.repos].map(([did, repo]) => ({ did, ...repo })),
    }
    return sorted(all)
  }
}

function sorted(all: Record<string, object[]>): Record<string, object[]> {
  const fields = (row: object) => JSON.stringify(Object.entries(row).sort())
  return Object.fromEntries(
    Object.entries(all).map(([table, rows]) => [
      table,
      rows.toSorted((a, b) => (fields(a) < fields(b) ? -1 : 1)),
    ]),
  )
}

/** The tables as the twin has them: the order of arrival is looked at elsewhere. */
function tablesOf(file: string): Record<string, object[]> {
  const { cursors, reposts, sqlite_sequence, ...rest } = dump(file) as Record<string, object[]>
  return sorted({ ...rest, reposts: reposts!.map(({ id, ...row }: { id?: number }) => row) })
}

/** The reposts in the order of their arrival. */
function arrivals(file: string): string[] {
  const reposts = dump(file).reposts as { id: number; uri: string }[]
  return reposts.sort((a, b) => a.id - b.id).map(({ uri }) => uri)
}

describe('the index', () => {
  test.for([1, 2, 3, 4, 5, 6])(
    'is what its slow twin is, after each of many random batches (%i)',
    async (seed) => {
      const random = seededRandom(seed)
      const index = await newIndex()
      const twin = new Twin()
      let batch: IndexEvent[] = []
      const outcomes = new Set<Outcome>()
      for (const event of randomEvents(random, 600)) {
        batch.push(event)
        if (random.below(8) > 0) continue
        const expected = batch.map((event) => twin.apply(event))
        expect(await index.writer.apply(batch)).toEqual(expected)
        for (const outcome of expected) outcomes.add(outcome)
        expect(tablesOf(index.file)).toEqual(twin.tables())
        batch = []
      }
      expect(outcomes).toEqual(new Set(['applied', 'jumped', 'stale', 'deleted']))
    },
  )

  test('does not depend on how events are batched, nor on events that come twice', async () => {
    const events = [...randomEvents(seededRandom(7), 400)].filter(({ kind }) => kind !== 'account')
    const one = await newIndex()
    await one.writer.apply(events)
    const many = await newIndex()
    for (const event of events) await many.writer.apply([event])
    const twice = await newIndex()
    for (let from = 0; from < events.length; from += 20)
      await twice.writer.apply(events.slice(from, from + 40))
    expect(tablesOf(many.file)).toEqual(tablesOf(one.file))
    expect(arrivals(many.file)).toEqual(arrivals(one.file))
    expect(tablesOf(twice.file)).toEqual(tablesOf(one.file))
  })

  test('moves the cursor with the events, or neither', async () => {
    const index = await newIndex()
    const post = uriOf('did:plc:a', 'posts', 1)
    const like = (rkey: number, data: string, prevData?: string): CommitChange => {
      const uri = uriOf('did:plc:a', 'likes', rkey)
      const changes: Change[] = [{ table: 'likes', uri, row: { uri, author: 'did:plc:a', subject: post } }]
      return { kind: 'commit', did: 'did:plc:a', rev: String(rkey), since: null, prevData, data, changes }
    }
    await index.writer.apply([like(1, 'one')], { endpoint: 'ws://relay', seq: 5 })
    const before = dump(index.file)
    expect(before.cursors).toEqual([{ endpoint: 'ws://relay', seq: 5 }])
    // The last statement of the transaction fails: there is no such number.
    const failing = index.writer.apply([like(2, 'two', 'one')], {
      endpoint: 'ws://relay',
      seq: null as never,
    })
    await expect(failing).rejects.toThrow()
    expect(dump(index.file)).toEqual(before)
    await index.writer.apply([like(2, 'two', 'one')], { endpoint: 'ws://relay', seq: 6 })
    expect(await index.writer.cursor('ws://relay')).toBe(6)
    expect(dump(index.file).likes).toHaveLength(2)
    expect(dump(index.file).engagement).toMatchObject([{ subject: post, likes: 1 }])
  })

  test('takes more rows at once than fit into a statement', async () => {
    const index = await newIndex()
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
    const liked = changes((uri, i) => ({
      uri,
      author: `did:plc:${i}`,
      subject: uriOf('did:plc:b', 'posts', i % 2),
    }))
    await index.writer.apply([commit('1', liked)])
    expect(dump(index.file).engagement).toMatchObject([{ likes: count / 2 }, { likes: count / 2 }])
    await index.writer.apply([{ kind: 'account', did: 'did:plc:a', active: false, status: 'deleted' }])
    expect(dump(index.file)).toMatchObject({ likes: [], engagement: [], repos: [] })
  })
})
