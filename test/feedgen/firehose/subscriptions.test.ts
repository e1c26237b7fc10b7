/** Following an endpoint: where it begins and goes on, what it waits for, and in which order events are written. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { encodeFrame } from '#protocol/frame.ts'
import { generateKey } from '#protocol/keys.ts'
import type { FeedgenConfig } from '../../../feedgen/config.ts'
import { Follower } from '../../../feedgen/firehose/consumer.ts'
import { Counts } from '../../../feedgen/firehose/counts.ts'
import { RepoStream } from '../../../feedgen/firehose/subscribe-repos.ts'
import { AuthorKeys } from '../../../feedgen/identity/identity-cache.ts'
import { openIndex } from '../../../feedgen/index/database.ts'
import type { IndexEvent, Outcome } from '../../../feedgen/index/writer.ts'
import { Author, pathOf } from '../../support/author.ts'
import { startDirectory } from '../../support/directory.ts'
import { temporaryFolder } from '../../support/processes.ts'
import { startRelay } from '../../support/relay.ts'
import { cursorOf, dump, eventually, startFeedgen } from '../support.ts'

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

const uris = (file: string) => (dump(file).posts as { uri: string }[]).map(({ uri }) => uri)

describe('an endpoint', () => {
  test('is followed from its oldest event, and after a cut or a restart from where it was', async () => {
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

  test('is followed from now on where that is asked for', async () => {
    const { relay, feedgen, author } = await stage({ start: 'live' })
    await eventually(() => relay.subscribers === 1)
    await feedgen.reached(relay.url, relay.emit(author().post('one').event))
    expect(relay.cursors).toEqual([null])
  })

  test('that was set up anew is followed anew', async () => {
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

  test('that says the cursor is outdated is followed on', async () => {
    const { relay, feedgen, author } = await stage()
    relay.send(encodeFrame({ kind: 'info', name: 'OutdatedCursor' }))
    await feedgen.reached(relay.url, relay.emit(author().post('one').event))
    expect(feedgen.counts.events.info).toBe(1)
  })

  test('that is not there is tried again, and none keeps another one waiting', async () => {
    const directory = await startDirectory()
    await using relay = await startRelay()
    await using feedgen = await startFeedgen({
      endpoints: ['ws://127.0.0.1:1/xrpc/com.atproto.sync.subscribeRepos', relay.url],
      plcUrl: directory.url,
    })
    await feedgen.reached(relay.url, relay.emit(new Author().register(directory).post('one').event))
    expect(uris(feedgen.file)).toHaveLength(1)
    await directory[Symbol.asyncDispose]()
  })

  test('may tell the same as another one', async () => {
    await using directory = await startDirectory()
    await using one = await startRelay()
    await using two = await startRelay()
    await using feedgen = await startFeedgen({ endpoints: [one.url, two.url], plcUrl: directory.url })
    const alice = new Author().register(directory)
    const bob = new Author().register(directory)
    const { uri, event } = alice.post('one')
    const events = [event, bob.like(uri).event, alice.post('two').event]
    for (const event of events) {
      const seqs = [one.emit(event), two.emit(event)]
      await feedgen.reached(one.url, seqs[0]!)
      await feedgen.reached(two.url, seqs[1]!)
    }
    await expect
      .poll(() => feedgen.counts.outcomes)
      .toEqual({ applied: 3, jumped: 0, stale: 3, deleted: 0, refused: 0 })
    expect(dump(feedgen.file)).toMatchObject({
      posts: { length: 2 },
      likes: { length: 1 },
      engagement: [{ likes: 1 }],
    })
  })
})

describe('an endpoint that is trusted', () => {
  test('is taken at its word: nobody is looked up, and no signature is checked', async () => {
    const trusted = await startRelay()
    onTestFinished(() => trusted[Symbol.asyncDispose]())
    const { relay, feedgen, directory } = await stage({
      endpoints: [trusted.url],
      trustedEndpoints: [trusted.url],
    })
    expect(relay.subscribers).toBe(0)
    const alice = new Author()
    const forger = new Author({ did: alice.did })
    const [one, two] = [alice.post('one'), forger.post('two')]
    trusted.emit(one.event)
    await feedgen.reached(trusted.url, trusted.emit(two.event))
    expect(uris(feedgen.file).sort()).toEqual([one.uri, two.uri].sort())
    expect(directory.requests).toEqual([])
    expect(feedgen.counts).toMatchObject({ trusted: 2, verified: 0 })
  })

  test('may still not send what cannot be read', async () => {
    const trusted = await startRelay()
    onTestFinished(() => trusted[Symbol.asyncDispose]())
    const { feedgen } = await stage({ endpoints: [trusted.url], trustedEndpoints: [trusted.url] })
    const { event } = new Author().post('one')
    trusted.emit({ ...event, blocks: event.blocks.subarray(0, 40) })
    trusted.emit({ ...event, repo: 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa' })
    await feedgen.reached(trusted.url, trusted.emit(new Author().post('two').event))
    expect(feedgen.counts.faults.get('malformed-blocks')).toBe(1)
    expect(feedgen.counts.faults.get('wrong-commit')).toBe(1)
  })
})

describe('an author', () => {
  test('with a P-256 key is verified', async () => {
    const { directory, relay, feedgen } = await stage()
    const author = new Author({ algorithm: 'ES256' }).register(directory)
    await feedgen.reached(relay.url, relay.emit(author.post('one').event))
    expect(uris(feedgen.file)).toHaveLength(1)
  })

  test('who changed the key is looked up anew, once', async () => {
    const { directory, relay, feedgen, author } = await stage()
    const alice = author()
    await feedgen.reached(relay.url, relay.emit(alice.post('one').event))
    expect(directory.requests).toEqual([alice.did])
    alice.key = generateKey()
    alice.register(directory)
    await feedgen.reached(relay.url, relay.emit(alice.post('two').event))
    expect(directory.requests).toEqual([alice.did, alice.did])
    expect(uris(feedgen.file)).toHaveLength(2)
    expect(feedgen.counts.faults.size).toBe(0)
  })

  test('of whom an identity event tells is looked up anew', async () => {
    const { directory, relay, feedgen, author } = await stage()
    const alice = author()
    await feedgen.reached(relay.url, relay.emit(alice.post('one').event))
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
    const seq = relay.emit(author().post('witness').event)
    await feedgen.reached(relay.url, seq)
    expect(feedgen.counts.faults.get('wrong-signature')).toBe(1)
    expect(uris(feedgen.file)).toHaveLength(2)
  })

  test('is looked up no more often than needed, however many forgeries come', async () => {
    const { directory, relay, feedgen, author } = await stage()
    const alice = author()
    await feedgen.reached(relay.url, relay.emit(alice.post('one').event))
    const forger = new Author({ did: alice.did })
    const began = Date.now()
    for (let i = 1; i <= 50; i++) {
      relay.emit(forger.post('forged').event)
      // One after the other: those that come at once share a look-up anyway.
      await eventually(() => feedgen.counts.faults.get('wrong-signature') === i)
    }
    await feedgen.reached(relay.url, relay.emit(alice.post('two').event))
    const seconds = Math.ceil((Date.now() - began) / 1000)
    expect(directory.requests.length).toBeLessThanOrEqual(2 + seconds)
    expect(uris(feedgen.file)).toHaveLength(2)
  })

  test('with a document at a host of his own is verified', async () => {
    const { relay, feedgen } = await stage()
    const server = createServer((_, response) => response.end(JSON.stringify(alice.document)))
    await once(server.listen(0, '127.0.0.1'), 'listening')
    onTestFinished(() => void server.close())
    const alice = new Author({ did: `did:web:localhost%3A${(server.address() as AddressInfo).port}` })
    await feedgen.reached(relay.url, relay.emit(alice.post('one').event))
    expect(uris(feedgen.file)).toHaveLength(1)
  })

  test('cannot be told while the directory is down: the line waits, and nothing is lost', async () => {
    const { directory, relay, feedgen, author } = await stage()
    const [alice, bob] = [author(), author()]
    await feedgen.reached(relay.url, relay.emit(alice.post('one').event))
    directory.failing = 503
    relay.emit(bob.post('two').event)
    const last = relay.emit(alice.post('three').event)
    await eventually(() => directory.requests.filter((did) => did === bob.did).length >= 2)
    expect(cursorOf(feedgen.file, relay.url)).toBe(1)
    directory.failing = undefined
    await feedgen.reached(relay.url, last)
    expect(uris(feedgen.file)).toHaveLength(3)
    expect(feedgen.counts.faults.size).toBe(0)
  })

  test('for whom the directory alone fails is passed over', async () => {
    const { directory, relay, feedgen, author } = await stage()
    const alice = new Author()
    // Not what a document looks like, in an answer that is not even JSON.
    directory.documents.set(alice.did, undefined)
    directory.broken.add(alice.did)
    relay.emit(alice.post('one').event)
    await feedgen.reached(relay.url, relay.emit(author().post('two').event))
    expect(feedgen.counts.faults.get('unknown-author')).toBe(1)
  })
})

describe('events', () => {
  test('of many authors are looked up at once and written in order', async () => {
    const { directory, relay, feedgen } = await stage()
    const authors = Array.from({ length: 60 }, () => new Author().register(directory))
    const posts = authors.map((author) => author.post('one'))
    // The first one has to wait for his document until all others have theirs.
    directory.withheld.add(authors[0]!.did)
    const [first] = posts.map(({ event }) => relay.emit(event))
    const last = relay.emit(authors[1]!.repost(posts[0]!.uri).event)
    await eventually(() => directory.requests.length === authors.length)
    expect(cursorOf(feedgen.file, relay.url)).toBeUndefined()
    expect(first).toBe(1)
    directory.answer(authors[0]!.did)
    await feedgen.reached(relay.url, last)
    expect(uris(feedgen.file).sort()).toEqual(posts.map(({ uri }) => uri).sort())
  })

  test('of more than the queue takes make the sender wait, and all arrive', async () => {
    const { directory, relay, feedgen } = await stage()
    const [slow, busy] = [new Author().register(directory), new Author().register(directory)]
    directory.withheld.add(slow.did)
    relay.emit(slow.post('first').event)
    let last = 0
    for (let i = 0; i < 5000; i++) last = relay.emit(busy.post(`post ${i}`).event)
    const received = () => feedgen.counts.events.commit
    const turn = () => feedgen.get('_health')
    await eventually(() => received() >= 2000)
    await turn()
    const before = received()
    for (let i = 0; i < 20; i++) await turn()
    expect(received()).toBe(before)
    expect(before).toBeLessThan(3000)
    directory.answer(slow.did)
    await feedgen.reached(relay.url, last)
    expect(dump(feedgen.file)).toMatchObject({
      posts: { length: 5001 },
      repos: [{ jumped: 0 }, { jumped: 0 }],
    })
    expect(relay.cursors).toEqual([0])
  })

  test('replace and delete what came before', async () => {
    const { relay, feedgen, author } = await stage()
    const [alice, bob] = [author(), author()]
    const { uri, event } = alice.post('one')
    const like = bob.like(uri)
    // The like comes before its post.
    for (const one of [like.event, event]) await feedgen.reached(relay.url, relay.emit(one))
    expect(dump(feedgen.file)).toMatchObject({
      posts: [{ uri, tier: 1 }],
      engagement: [{ subject: uri, likes: 1 }],
    })
    const update = alice.commit({ [pathOf(uri)]: { text: 'two', createdAt: '2020-01-01T00:00:00Z' } })
    relay.emit(update)
    await feedgen.reached(relay.url, relay.emit(bob.commit({ [pathOf(like.uri)]: null })))
    expect(dump(feedgen.file)).toMatchObject({
      posts: [{ uri, tier: 0, sort_at: Date.parse('2020-01-01T00:00:00Z') }],
      likes: [],
      engagement: [],
    })
    await feedgen.reached(relay.url, relay.emit(alice.commit({ [pathOf(uri)]: null })))
    expect(dump(feedgen.file).posts).toEqual([])
  })

  test('that leave out what happened before are noticed, and what may be gone is not shown', async () => {
    const { relay, feedgen, author } = await stage()
    const alice = author()
    await feedgen.reached(relay.url, relay.emit(alice.post('one').event))
    const lost = alice.post('lost')
    const { uri, event } = alice.post('three')
    await feedgen.reached(relay.url, relay.emit(event))
    await expect.poll(() => feedgen.counts.outcomes.jumped).toBe(1)
    expect(dump(feedgen.file)).toMatchObject({ repos: [{ jumped: 1 }] })
    const sure = (dump(feedgen.file).posts as { uri: string; unsure: number }[]).filter(
      ({ unsure }) => !unsure,
    )
    expect(sure).toMatchObject([{ uri }])
    // It comes too late: what it says may have changed again.
    await feedgen.reached(relay.url, relay.emit(lost.event))
    await expect.poll(() => feedgen.counts.outcomes.stale).toBe(1)
  })

  test('that say where a repository stands are believed when its owner signed them', async () => {
    const { relay, feedgen, author } = await stage()
    const alice = author()
    relay.emit(alice.post('one').event)
    await feedgen.reached(relay.url, relay.emit(alice.sync()))
    expect(dump(feedgen.file)).toMatchObject({ repos: [{ jumped: 0 }], posts: [{ unsure: 0 }] })
    alice.post('lost')
    await feedgen.reached(relay.url, relay.emit(alice.sync()))
    expect(dump(feedgen.file)).toMatchObject({ repos: [{ jumped: 1 }], posts: [{ unsure: 1 }] })
  })

  test('without prevData are verified by their tree and chained by their revisions', async () => {
    const { relay, feedgen, author } = await stage()
    const alice = author()
    const { uri, event } = alice.post('one')
    const all = [event, alice.post('two').event, alice.commit({ [pathOf(uri)]: null })]
    for (const { prevData, ops, ...event } of all) {
      const bare = ops.map(({ prev, ...op }) => op)
      await feedgen.reached(relay.url, relay.emit({ ...event, ops: bare }))
    }
    await expect.poll(() => feedgen.counts.outcomes).toMatchObject({ applied: 3, jumped: 0 })
    expect(uris(feedgen.file)).toHaveLength(1)
  })

  test('about accounts decide who is shown', async () => {
    const { relay, feedgen, author } = await stage()
    const [alice, bob] = [author(), author()]
    const { uri, event } = alice.post('one')
    relay.emit(event)
    relay.emit(bob.like(uri).event)
    const time = new Date().toISOString()
    await feedgen.reached(
      relay.url,
      relay.emit({ kind: 'account', did: alice.did, time, active: false, status: 'takendown' }),
    )
    expect(dump(feedgen.file)).toMatchObject({ actors: [{ did: alice.did, active: 0, status: 'takendown' }] })
    await feedgen.reached(
      relay.url,
      relay.emit({ kind: 'account', did: bob.did, time, active: false, status: 'deleted' }),
    )
    expect(dump(feedgen.file)).toMatchObject({ likes: [], engagement: [], repos: [{ did: alice.did }] })
  })

  test('from the future count as made when they were seen', async () => {
    const { relay, feedgen, author } = await stage()
    const before = Date.now()
    const { event } = author().post('one', { createdAt: '2199-01-01T00:00:00Z' })
    await feedgen.reached(relay.url, relay.emit({ ...event, time: '2199-01-01T00:00:00Z' }))
    const [{ sort_at, seen_at }] = dump(feedgen.file).posts as [{ sort_at: number; seen_at: number }]
    expect(sort_at).toBe(seen_at)
    expect(seen_at).toBeGreaterThanOrEqual(before)
    expect(seen_at).toBeLessThanOrEqual(Date.now())
  })
})

test('an index that cannot be written makes the line wait, and nothing is lost', async () => {
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

test('a feed generator stops although it waits for a document', async () => {
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
