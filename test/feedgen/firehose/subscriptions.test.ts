/**
 * Following an endpoint: where it begins and goes on, what it waits for, and in which order events
 * are written.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { encodeFrame } from '#protocol/frame.ts'
import { generateKey } from '#protocol/keys.ts'
import type { FeedgenConfig } from '../../../feedgen/config.ts'
import { Follower } from '../../../feedgen/firehose/consumer.ts'
import { Counts, type Fault } from '../../../feedgen/firehose/counts.ts'
import { RepoStream } from '../../../feedgen/firehose/subscribe-repos.ts'
import { AuthorKeys } from '../../../feedgen/identity/identity-cache.ts'
import { openIndex } from '../../../feedgen/index/database.ts'
import type { IndexEvent, Outcome } from '../../../feedgen/index/writer.ts'
import { Author, pathOf } from '../../support/author.ts'
import { type Directory, startDirectory } from '../../support/directory.ts'
import { temporaryFolder } from '../../support/processes.ts'
import { type EventWithoutSeq, type Relay, startRelay } from '../../support/relay.ts'
import { cursorOf, dump, eventually, startFeedgen, type TestFeedgen } from '../support.ts'

/** A relay, a directory and a feed generator between them, which end with the test. */
async function stage(config: Partial<FeedgenConfig> = {}) {
  const directory = await startDirectory()
  const relay = await startRelay()
  const folder = temporaryFolder()
  const start = () =>
    startFeedgen({
      endpoints: [relay.url],
      plcUrl: directory.url,
      sqliteLocation: `${folder.path}/index.sqlite`,
      ...config,
    })
  const feedgen = await start()
  onTestFinished(async () => {
    await feedgen[Symbol.asyncDispose]()
    await relay[Symbol.asyncDispose]()
    await directory[Symbol.asyncDispose]()
    folder[Symbol.dispose]()
  })
  return { directory, relay, feedgen, start, author: () => new Author().register(directory) }
}

/** What the tests share whose feed generator need not be their own: each has authors of its own. */
const stack = new AsyncDisposableStack()
let directory: Directory
let relay: Relay
/** Sends what the relay sends, where a test says so. */
let twin: Relay
let trusted: Relay
let feedgen: TestFeedgen

beforeAll(async () => {
  directory = stack.use(await startDirectory())
  relay = stack.use(await startRelay())
  twin = stack.use(await startRelay())
  trusted = stack.use(await startRelay())
  const unreachable = 'ws://127.0.0.1:1/xrpc/com.atproto.sync.subscribeRepos'
  feedgen = stack.use(
    await startFeedgen({
      endpoints: [unreachable, relay.url, twin.url, trusted.url],
      trustedEndpoints: [trusted.url],
      plcUrl: directory.url,
    }),
  )
})
afterAll(() => stack.disposeAsync())

const newAuthor = () => new Author().register(directory)
/** Emits an event and waits until it is written. */
const write = (event: EventWithoutSeq, from = relay) => feedgen.reached(from.url, from.emit(event))

/** The rows about these authors. */
function rowsOf(...authors: Author[]): Record<string, unknown[]> {
  const dids = authors.map(({ did }) => did)
  const isTheirs = ({ author, did, subject }: Record<string, unknown>) =>
    dids.includes((author ?? did ?? String(subject).split('/')[2]) as string)
  const tables = Object.entries(dump(feedgen.file))
  return Object.fromEntries(
    tables.map(([table, rows]) => [table, (rows as Record<string, unknown>[]).filter(isTheirs)]),
  )
}
const urisOf = (...authors: Author[]) => (rowsOf(...authors).posts as { uri: string }[]).map(({ uri }) => uri)
const lookupsOf = ({ did }: Author) => directory.requests.filter((asked) => asked === did).length

/** Counts from now on. */
function countsFromNow() {
  const { counts } = feedgen
  const outcomes = { ...counts.outcomes }
  const faults = new Map(counts.faults)
  const { trusted, verified } = counts
  return {
    outcomes: () =>
      Object.fromEntries(
        Object.entries(counts.outcomes).map(([name, count]) => [
          name,
          count - outcomes[name as keyof typeof outcomes],
        ]),
      ),
    fault: (name: Fault) => (counts.faults.get(name) ?? 0) - (faults.get(name) ?? 0),
    faults: () => [...counts.faults.keys()].filter((name) => counts.faults.get(name) !== faults.get(name)),
    trusted: () => counts.trusted - trusted,
    verified: () => counts.verified - verified,
  }
}

const uris = (file: string) => (dump(file).posts as { uri: string }[]).map(({ uri }) => uri)

describe('an endpoint', () => {
  test('is followed from its oldest event, and resumes at its cursor after a lost connection or a restart', async () => {
    const { relay, feedgen, start, author } = await stage()
    const alice = author()
    await feedgen.reached(relay.url, relay.emit(alice.post('one').event))
    relay.cut()
    await eventually(() => relay.cursors.length === 2)
    await feedgen.reached(relay.url, relay.emit(alice.post('two').event))
    await feedgen[Symbol.asyncDispose]()
    const seq = relay.emit(alice.post('three').event)
    await using again = await start()
    await again.reached(relay.url, seq)
    expect(relay.cursors).toEqual([0, 1, 2])
    expect(dump(again.file)).toMatchObject({ posts: { length: 3 }, repos: [{ jumped: 0 }] })
    await expect
      .poll(() => again.counts.outcomes)
      .toEqual({ applied: 1, jumped: 0, stale: 0, deleted: 0, refused: 0 })
  })

  test('is followed from its newest event with start: live', async () => {
    const { relay, feedgen, author } = await stage({ start: 'live' })
    await eventually(() => relay.subscribers === 1)
    await feedgen.reached(relay.url, relay.emit(author().post('one').event))
    expect(relay.cursors).toEqual([null])
  })

  test('is followed from its oldest event again after FutureCursor', async () => {
    const { relay, feedgen, author } = await stage()
    const alice = author()
    relay.emit(alice.post('one').event)
    await feedgen.reached(relay.url, relay.emit(alice.post('two').event))
    relay.reset()
    relay.cut()
    await eventually(() => relay.cursors.length >= 3)
    await feedgen.reached(relay.url, relay.emit(author().post('three').event))
    expect(relay.cursors).toEqual([0, 2, 0])
    expect(uris(feedgen.file)).toHaveLength(3)
  })

  test('resumes after an OutdatedCursor info frame', async () => {
    const { info } = feedgen.counts.events
    relay.send(encodeFrame({ kind: 'info', name: 'OutdatedCursor' }))
    const alice = newAuthor()
    await write(alice.post('one').event)
    expect(urisOf(alice)).toHaveLength(1)
    expect(feedgen.counts.events.info).toBe(info + 1)
  })

  test('that is unreachable does not hold up the others', async () => {
    const alice = newAuthor()
    await write(alice.post('one').event)
    expect(urisOf(alice)).toHaveLength(1)
  })

  test('may send the same events as another endpoint: each is indexed once', async () => {
    const counts = countsFromNow()
    const [alice, bob] = [newAuthor(), newAuthor()]
    const { uri, event } = alice.post('one')
    for (const one of [event, bob.like(uri).event, alice.post('two').event]) {
      const seqs = [relay.emit(one), twin.emit(one)]
      await feedgen.reached(relay.url, seqs[0]!)
      await feedgen.reached(twin.url, seqs[1]!)
    }
    // Counted once the write is answered, which may be a moment after it is there.
    await expect.poll(() => counts.outcomes().stale).toBeGreaterThanOrEqual(3)
    expect(rowsOf(alice, bob)).toMatchObject({
      posts: { length: 2 },
      likes: { length: 1 },
      engagement: [{ likes: 1 }],
    })
  })
})

describe('a trusted endpoint', () => {
  test('is believed: no author is looked up, and no signature is verified', async () => {
    const counts = countsFromNow()
    const alice = new Author()
    const forger = new Author({ did: alice.did })
    const [one, two] = [alice.post('one'), forger.post('two')]
    await write(one.event, trusted)
    await write(two.event, trusted)
    expect(urisOf(alice).sort()).toEqual([one.uri, two.uri].sort())
    expect(lookupsOf(alice)).toBe(0)
    expect([counts.trusted(), counts.verified()]).toEqual([2, 0])
  })

  test('still cannot send malformed blocks or the commit of another repository', async () => {
    const counts = countsFromNow()
    const { event } = new Author().post('one')
    trusted.emit({ ...event, blocks: event.blocks.subarray(0, 40) })
    trusted.emit({ ...event, repo: 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa' })
    await write(new Author().post('two').event, trusted)
    expect([counts.fault('malformed-blocks'), counts.fault('wrong-commit')]).toEqual([1, 1])
  })
})

describe('an author', () => {
  test('with a P-256 key is verified', async () => {
    const author = new Author({ algorithm: 'ES256' }).register(directory)
    await write(author.post('one').event)
    expect(urisOf(author)).toHaveLength(1)
  })

  test('with a new key is looked up again, once', async () => {
    const counts = countsFromNow()
    const alice = newAuthor()
    await write(alice.post('one').event)
    expect(lookupsOf(alice)).toBe(1)
    alice.key = generateKey()
    alice.register(directory)
    await write(alice.post('two').event)
    expect(lookupsOf(alice)).toBe(2)
    expect(urisOf(alice)).toHaveLength(2)
    expect(counts.faults()).toEqual([])
  })

  test('is looked up again after an #identity event', async () => {
    const counts = countsFromNow()
    const alice = newAuthor()
    await write(alice.post('one').event)
    const stolen = alice.key
    alice.key = generateKey()
    alice.register(directory)
    relay.emit({ kind: 'identity', did: alice.did, time: '' })
    // A thief of the old key writes; with the old document it would do.
    const owner = alice.key
    alice.key = stolen
    const { event } = alice.post('stolen')
    alice.key = owner
    relay.emit(event)
    await write(newAuthor().post('witness').event)
    expect(counts.fault('wrong-signature')).toBe(1)
    expect(urisOf(alice)).toHaveLength(1)
  })

  test('is looked up at most once a second, however many forgeries come', async () => {
    const counts = countsFromNow()
    const alice = newAuthor()
    await write(alice.post('one').event)
    const forger = new Author({ did: alice.did })
    const began = Date.now()
    for (let i = 1; i <= 50; i++) {
      relay.emit(forger.post('forged').event)
      // One after the other: those that come at once share a look-up anyway.
      await eventually(() => counts.fault('wrong-signature') === i)
    }
    await write(alice.post('two').event)
    const seconds = Math.ceil((Date.now() - began) / 1000)
    expect(lookupsOf(alice)).toBeLessThanOrEqual(2 + seconds)
    expect(urisOf(alice)).toHaveLength(2)
  })

  test('with a did:web document is verified', async () => {
    const server = createServer((_, response) => response.end(JSON.stringify(alice.document)))
    await once(server.listen(0, '127.0.0.1'), 'listening')
    onTestFinished(() => void server.close())
    const alice = new Author({ did: `did:web:localhost%3A${(server.address() as AddressInfo).port}` })
    await write(alice.post('one').event)
    expect(urisOf(alice)).toHaveLength(1)
  })

  test('waits while the PLC directory is down, and no event is lost', async () => {
    const counts = countsFromNow()
    const [alice, bob] = [newAuthor(), newAuthor()]
    const first = relay.emit(alice.post('one').event)
    await feedgen.reached(relay.url, first)
    directory.failing = 503
    relay.emit(bob.post('two').event)
    const last = relay.emit(alice.post('three').event)
    await eventually(() => lookupsOf(bob) >= 2)
    expect(cursorOf(feedgen.file, relay.url)).toBe(first)
    directory.failing = undefined
    await feedgen.reached(relay.url, last)
    expect(urisOf(alice, bob)).toHaveLength(3)
    expect(counts.faults()).toEqual([])
  })

  test('whose document alone cannot be read has events dropped', async () => {
    const counts = countsFromNow()
    const alice = new Author()
    // Not what a document looks like, in an answer that is not even JSON.
    directory.documents.set(alice.did, undefined)
    directory.broken.add(alice.did)
    relay.emit(alice.post('one').event)
    await write(newAuthor().post('two').event)
    expect(counts.fault('unknown-author')).toBe(1)
  })
})

describe('events', () => {
  test('of many authors are looked up at once and written in order', async () => {
    const authors = Array.from({ length: 60 }, newAuthor)
    const posts = authors.map((author) => author.post('one'))
    // The first one has to wait for a document until all others have theirs.
    directory.withheld.add(authors[0]!.did)
    const before = relay.emit({ kind: 'identity', did: newAuthor().did, time: '' })
    await feedgen.reached(relay.url, before)
    for (const { event } of posts) relay.emit(event)
    const last = relay.emit(authors[1]!.repost(posts[0]!.uri).event)
    await eventually(() => authors.every((author) => lookupsOf(author) === 1))
    expect(cursorOf(feedgen.file, relay.url)).toBe(before)
    directory.answer(authors[0]!.did)
    await feedgen.reached(relay.url, last)
    expect(urisOf(...authors).sort()).toEqual(posts.map(({ uri }) => uri).sort())
  })

  test('that update and delete records replace and delete posts and likes', async () => {
    const [alice, bob] = [newAuthor(), newAuthor()]
    const { uri, event } = alice.post('one')
    const like = bob.like(uri)
    // The like comes before its post.
    for (const one of [like.event, event]) await write(one)
    expect(rowsOf(alice, bob)).toMatchObject({
      posts: [{ uri, tier: 1 }],
      engagement: [{ subject: uri, likes: 1 }],
    })
    relay.emit(alice.commit({ [pathOf(uri)]: { text: 'two', createdAt: '2020-01-01T00:00:00Z' } }))
    await write(bob.commit({ [pathOf(like.uri)]: null }))
    expect(rowsOf(alice, bob)).toMatchObject({
      posts: [{ uri, tier: 0, sort_at: Date.parse('2020-01-01T00:00:00Z') }],
      likes: [],
      engagement: [],
    })
    await write(alice.commit({ [pathOf(uri)]: null }))
    expect(rowsOf(alice).posts).toEqual([])
  })

  test('with a gap before them desynchronize the repository, whose earlier posts become unsure', async () => {
    const counts = countsFromNow()
    const alice = newAuthor()
    await write(alice.post('one').event)
    const lost = alice.post('lost')
    const { uri, event } = alice.post('three')
    await write(event)
    await expect.poll(() => counts.outcomes().jumped).toBeGreaterThanOrEqual(1)
    const { repos, posts } = rowsOf(alice)
    expect(repos).toMatchObject([{ jumped: 1 }])
    expect((posts as { unsure: number }[]).filter(({ unsure }) => !unsure)).toMatchObject([{ uri }])
    // It comes too late: what it says may have changed again.
    await write(lost.event)
    await expect.poll(() => counts.outcomes().stale).toBeGreaterThanOrEqual(1)
  })

  test('#sync desynchronizes a repository whose root it does not match', async () => {
    const alice = newAuthor()
    relay.emit(alice.post('one').event)
    await write(alice.sync())
    expect(rowsOf(alice)).toMatchObject({ repos: [{ jumped: 0 }], posts: [{ unsure: 0 }] })
    alice.post('lost')
    await write(alice.sync())
    expect(rowsOf(alice)).toMatchObject({ repos: [{ jumped: 1 }], posts: [{ unsure: 1 }] })
  })

  test('without prevData are verified by their tree and chained by their revisions', async () => {
    const counts = countsFromNow()
    const alice = newAuthor()
    const { uri, event } = alice.post('one')
    const all = [event, alice.post('two').event, alice.commit({ [pathOf(uri)]: null })]
    for (const { prevData, ops, ...event } of all) {
      await write({ ...event, ops: ops.map(({ prev, ...op }) => op) })
    }
    await expect.poll(() => counts.outcomes().applied).toBeGreaterThanOrEqual(3)
    expect(counts.outcomes().jumped).toBe(0)
    expect(urisOf(alice)).toHaveLength(1)
  })

  test('#account hides a taken down account and deletes what a deleted one wrote', async () => {
    const [alice, bob] = [newAuthor(), newAuthor()]
    const { uri, event } = alice.post('one')
    relay.emit(event)
    relay.emit(bob.like(uri).event)
    const time = new Date().toISOString()
    await write({ kind: 'account', did: alice.did, time, active: false, status: 'takendown' })
    const actor = { did: alice.did, active: 0, status: 'takendown' }
    expect(rowsOf(alice)).toMatchObject({ actors: [actor] })
    await write({ kind: 'account', did: bob.did, time, active: false, status: 'deleted' })
    expect(rowsOf(alice, bob)).toMatchObject({ likes: [], engagement: [], repos: [{ did: alice.did }] })
  })

  test('from the future are sorted by the time at which they were seen', async () => {
    const before = Date.now()
    const alice = newAuthor()
    const { event } = alice.post('one', { createdAt: '2199-01-01T00:00:00Z' })
    await write({ ...event, time: '2199-01-01T00:00:00Z' })
    const [{ sort_at, seen_at }] = rowsOf(alice).posts as [{ sort_at: number; seen_at: number }]
    expect(sort_at).toBe(seen_at)
    expect(seen_at).toBeGreaterThanOrEqual(before)
    expect(seen_at).toBeLessThanOrEqual(Date.now())
  })

  test('beyond what the queue holds make the sender wait, and all arrive', async () => {
    const [slow, busy] = [newAuthor(), newAuthor()]
    directory.withheld.add(slow.did)
    const { commit } = feedgen.counts.events
    relay.emit(slow.post('first').event)
    let last = 0
    for (let i = 0; i < 4000; i++) last = relay.emit(busy.post(`post ${i}`).event)
    const received = () => feedgen.counts.events.commit - commit
    const turn = () => feedgen.get('_health')
    await eventually(() => received() >= 2000)
    await turn()
    const before = received()
    for (let i = 0; i < 20; i++) await turn()
    expect(received()).toBe(before)
    expect(before).toBeLessThan(3000)
    const connections = relay.cursors.length
    directory.answer(slow.did)
    await feedgen.reached(relay.url, last)
    expect(rowsOf(slow, busy)).toMatchObject({
      posts: { length: 4001 },
      repos: [{ jumped: 0 }, { jumped: 0 }],
    })
    expect(relay.cursors).toHaveLength(connections)
  })
})

test('events wait while the index cannot be written, and none is lost', async () => {
  await using directory = await startDirectory()
  await using relay = await startRelay()
  await using index = await openIndex(':memory:')
  let failures = 2
  const written: IndexEvent[] = []
  const outcomes: Outcome[] = []
  await using _follower = new Follower({
    stream: new RepoStream({
      endpoint: relay.url,
      trusted: false,
      serviceDid: 'did:web:feeds.test',
      keys: new AuthorKeys({ plcUrl: directory.url, fetch: globalThis.fetch }),
      counts: new Counts(),
    }),
    start: 'oldest',
    reconnectDelayMs: 20,
    written: (some) => void outcomes.push(...some),
    index: {
      cursor: (endpoint) => index.writer.cursor(endpoint),
      forgetCursor: (endpoint) => index.writer.forgetCursor(endpoint),
      async apply(events, position) {
        if (failures-- > 0) throw new Error('database or disk is full')
        written.push(...events)
        return index.writer.apply(events, position)
      },
    },
  })
  const author = new Author().register(directory)
  relay.emit(author.post('one').event)
  const last = relay.emit(author.post('two').event)
  await eventually(async () => (await index.writer.cursor(relay.url)) === last)
  expect(written).toHaveLength(2)
  expect(outcomes).toEqual(['applied', 'applied'])
})

test('a feed generator that waits for a DID document can be stopped', async () => {
  const { directory, relay, feedgen, author } = await stage()
  const alice = author()
  directory.withheld.add(alice.did)
  relay.emit(alice.post('one').event)
  await eventually(() => directory.requests.length === 1)
  const began = Date.now()
  await feedgen[Symbol.asyncDispose]()
  // Sooner than the look-up times out.
  expect(Date.now() - began).toBeLessThan(4500)
})
