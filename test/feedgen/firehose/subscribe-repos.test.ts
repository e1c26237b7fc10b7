/**
 * What is wrong with an event is counted under its name, the event passed over, and the next good
 * one indexed.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readCar, writeCar } from '#protocol/car.ts'
import { encode } from '#protocol/cbor.ts'
import { type Cid, cidForCbor } from '#protocol/cid.ts'
import { type Commit, signCommit } from '#protocol/commit.ts'
import { type CommitEvent, encodeFrame, type RepoEvent } from '#protocol/frame.ts'
import { generateKey } from '#protocol/keys.ts'
import { Link } from '#protocol/link.ts'
import { EMPTY_ROOT, encodeNode, nodesOf } from '#protocol/mst/node.ts'
import { applyOps } from '#protocol/mst/tree.ts'
import { tidFromMicros } from '#protocol/tid.ts'
import { messageBytesMax } from '../../../feedgen/firehose/connection.ts'
import type { Fault } from '../../../feedgen/firehose/counts.ts'
import { frameBytesMax } from '../../../feedgen/firehose/subscribe-repos.ts'
import { Author } from '../../support/author.ts'
import { type Directory, startDirectory } from '../../support/directory.ts'
import { type Relay, startRelay } from '../../support/relay.ts'
import { dump, eventually, startFeedgen, type TestFeedgen } from '../support.ts'

type Event = Omit<CommitEvent, 'seq'>

interface Stage {
  relay: Relay
  feedgen: TestFeedgen
  /** An author whom the directory knows. */
  author: Author
}

interface BadInput {
  name: string
  fault: Fault
  send(stage: Stage): void
  /** The event is good but for one record. */
  recordOnly?: true
}

/** The event with its blocks changed. */
function withBlocks(event: Event, change: (blocks: Map<Cid, Uint8Array>) => void): Event {
  const { blocks } = readCar(event.blocks)
  change(blocks)
  return { ...event, blocks: writeCar(event.commit, blocks) }
}

/**
 * The event with another commit in the place of its own, signed by the author unless by another.
 */
function withCommit(event: Event, author: Author, change: Partial<Commit>, key = author.key): Event {
  const { blocks } = readCar(event.blocks)
  const data = applyOps(
    nodesOf(new Map([[EMPTY_ROOT, encodeNode({ left: null, entries: [] })]])),
    EMPTY_ROOT,
    event.ops.map(({ path, cid }) => ({ key: path, value: cid, prev: null })),
  ).root
  const signed = signCommit({ did: author.did, rev: event.rev, prev: null, data, ...change }, key)
  blocks.delete(event.commit)
  return {
    ...event,
    commit: signed.cid,
    blocks: writeCar(signed.cid, [[signed.cid, signed.block], ...blocks]),
  }
}

/** The first commit of an author who is in the directory or is not, with one post. */
const post = (author: Author) => author.post('text').event
const path = 'app.bsky.feed.post/3k'
const bytes = (event: object, seq = 1) => encodeFrame({ ...event, seq } as RepoEvent)
const record = (body: object) => ({ text: 'text', createdAt: '2026-01-01T00:00:00Z', ...body })

const cases: BadInput[] = [
  {
    name: 'bytes that are nothing',
    fault: 'malformed-frame',
    send: ({ relay }) => relay.send(Buffer.from('rubbish')),
  },
  { name: 'an empty message', fault: 'malformed-frame', send: ({ relay }) => relay.send(Buffer.alloc(0)) },
  { name: 'a text message', fault: 'malformed-frame', send: ({ relay }) => relay.send('{"kind":"commit"}') },
  {
    name: 'a frame that is cut off',
    fault: 'malformed-frame',
    send: ({ relay, author }) => relay.send(bytes(post(author)).subarray(0, -1)),
  },
  {
    name: 'a frame without its fields',
    fault: 'malformed-frame',
    send: ({ relay }) => relay.send(Buffer.concat([encode({ op: 1, t: '#commit' }), encode({ seq: 1 })])),
  },
  {
    name: 'an event of something that is no DID',
    fault: 'malformed-frame',
    send: ({ relay }) =>
      relay.emit({ kind: 'account', did: 'did:plc:a/b', time: '', active: false, status: 'deleted' }),
  },
  {
    name: 'a frame that is too large',
    fault: 'oversized',
    send: ({ relay }) => relay.send(Buffer.alloc(frameBytesMax + 1)),
  },
  {
    name: 'a message that is too large to be read',
    fault: 'oversized',
    send: ({ relay }) => relay.send(Buffer.alloc(messageBytesMax + 1)),
  },
  {
    name: 'blocks that are no CAR file',
    fault: 'malformed-blocks',
    send: ({ relay, author }) => relay.emit({ ...post(author), blocks: Buffer.from('rubbish') }),
  },
  {
    name: 'a block that is not what its CID names',
    fault: 'malformed-blocks',
    send({ relay, author }) {
      const event = post(author)
      const record = event.ops[0]!.cid as Cid
      relay.emit(withBlocks(event, (blocks) => blocks.set(record, encode({ text: 'another' }))))
    },
  },
  {
    name: 'a commit without its block',
    fault: 'missing-block',
    send({ relay, author }) {
      const event = post(author)
      relay.emit(withBlocks(event, (blocks) => blocks.delete(event.commit)))
    },
  },
  {
    name: 'a record without its block',
    fault: 'missing-block',
    send({ relay, author }) {
      const event = post(author)
      relay.emit(withBlocks(event, (blocks) => blocks.delete(event.ops[0]!.cid as Cid)))
    },
  },
  {
    name: 'a commit that is another author’s',
    fault: 'wrong-commit',
    send({ relay, author }) {
      relay.emit({ ...post(new Author()), repo: author.did })
    },
  },
  {
    name: 'a commit of another revision',
    fault: 'wrong-commit',
    send: ({ relay, author }) => relay.emit({ ...post(author), rev: '3zzzzzzzzzzz2' }),
  },
  {
    name: 'a commit that is none',
    fault: 'wrong-commit',
    send({ relay, author }) {
      const block = encode({ version: 2 })
      const commit = cidForCbor(block)
      const event = post(author)
      relay.emit({
        ...event,
        commit,
        blocks: writeCar(commit, [[commit, block], ...readCar(event.blocks).blocks]),
      })
    },
  },
  {
    name: 'a revision from the future',
    fault: 'wrong-rev',
    send({ relay, author }) {
      const rev = tidFromMicros((Date.now() + 3_600_000) * 1000, 0)
      relay.emit({ ...withCommit(post(author), author, { rev }), rev })
    },
  },
  {
    name: 'a forged signature',
    fault: 'wrong-signature',
    send: ({ relay, author }) => relay.emit(withCommit(post(author), author, {}, generateKey())),
  },
  {
    name: 'an author whom nobody knows',
    fault: 'unknown-author',
    send: ({ relay }) => relay.emit(post(new Author())),
  },
  {
    name: 'an author at a host that does not answer',
    fault: 'unknown-author',
    send: ({ relay }) => relay.emit(post(new Author({ did: 'did:web:localhost%3A1' }))),
  },
  {
    name: 'an op that says another record than the tree',
    fault: 'wrong-ops',
    send({ relay, author }) {
      const event = post(author)
      const block = encode({ $type: 'app.bsky.feed.post', ...record({ text: 'another' }) })
      const cid = cidForCbor(block)
      const ops = event.ops.map((op) => ({ ...op, cid }))
      relay.emit(withBlocks({ ...event, ops }, (blocks) => blocks.set(cid, block)))
    },
  },
  {
    name: 'an op that nobody made',
    fault: 'wrong-ops',
    send({ relay, author }) {
      const event = post(author)
      const victim = { action: 'delete', path, cid: null, prev: event.ops[0]!.cid as Cid } as const
      relay.emit({ ...event, ops: [...event.ops, victim] })
    },
  },
  {
    name: 'a change that no op tells',
    fault: 'wrong-ops',
    send({ relay, author }) {
      const event = author.commit({ [path]: record({}), 'app.bsky.feed.post/3j': record({}) })
      relay.emit({ ...event, ops: event.ops.slice(0, 1) })
    },
  },
  {
    name: 'ops that cannot be undone with the blocks there are',
    fault: 'wrong-ops',
    send({ relay, author }) {
      const event = post(author)
      const commitAndRecord = new Set([event.commit, event.ops[0]!.cid])
      relay.emit(
        withBlocks(event, (blocks) => {
          for (const cid of blocks.keys()) if (!commitAndRecord.has(cid)) blocks.delete(cid)
        }),
      )
    },
  },
  {
    name: 'an op with a path that is none',
    fault: 'wrong-ops',
    send({ relay, author }) {
      const event = post(author)
      relay.emit({ ...event, ops: event.ops.map((op) => ({ ...op, path: '../../x' })) })
    },
  },
  {
    name: 'an op without prevData that says another record than the tree',
    fault: 'wrong-ops',
    send({ relay, author }) {
      const { prevData, ...event } = post(author)
      const ops = event.ops.map((op) => ({ ...op, path }))
      relay.emit({ ...event, ops })
    },
  },
  {
    name: 'a sync event without a commit',
    fault: 'missing-block',
    send({ relay, author }) {
      const blocks = writeCar(cidForCbor(encode({})), [])
      relay.emit({ ...author.sync(), blocks })
    },
  },
  {
    name: 'a sync event without a root',
    fault: 'malformed-blocks',
    send: ({ relay, author }) => relay.emit({ ...author.sync(), blocks: writeCar(null, []) }),
  },
  {
    name: 'a sync event that is forged',
    fault: 'wrong-signature',
    send({ relay, author }) {
      const forger = new Author({ did: author.did })
      relay.emit(forger.sync())
    },
  },
  ...Object.entries({
    'a post without text': ['app.bsky.feed.post', record({ text: 7 })],
    'a post without a date': ['app.bsky.feed.post', record({ createdAt: 'yesterday' })],
    'a post of another type': ['app.bsky.feed.post', record({ $type: 'app.bsky.feed.like' })],
    'an answer to nothing': ['app.bsky.feed.post', record({ reply: { root: null, parent: null } })],
    'a quote of nothing': ['app.bsky.feed.post', record({ embed: { $type: 'app.bsky.embed.record' } })],
    'a like of nothing': ['app.bsky.feed.like', record({ subject: 'at://x' })],
    'a repost of a web page': ['app.bsky.feed.repost', record({ subject: { uri: 'https://x', cid: 'x' } })],
    'a follow of nobody': ['app.bsky.graph.follow', record({ subject: 'alice.test' })],
    'a like of a link': ['app.bsky.feed.like', record({ subject: new Link(cidForCbor(encode({}))) })],
  } as Record<string, [string, object]>).map(
    ([name, [collection, body]]): BadInput => ({
      name,
      fault: 'malformed-record',
      recordOnly: true,
      send: ({ relay, author }) =>
        relay.emit(author.commit({ [`${collection}/3k`]: body as Record<string, unknown> })),
    }),
  ),
]

describe('an event that is dropped and counted under its fault', () => {
  let stack: AsyncDisposableStack
  let directory: Directory
  let relay: Relay
  let feedgen: TestFeedgen
  beforeAll(async () => {
    stack = new AsyncDisposableStack()
    directory = stack.use(await startDirectory())
    relay = stack.use(await startRelay())
    feedgen = stack.use(await startFeedgen({ endpoints: [relay.url], plcUrl: directory.url }))
  })
  afterAll(() => stack?.disposeAsync())

  /** The counts and the rows that are there now. */
  const snapshot = () => ({
    faults: new Map(feedgen.counts.faults),
    verified: feedgen.counts.verified,
    tables: dump(feedgen.file),
  })

  test.for(cases)('$name', async ({ fault, send, recordOnly }) => {
    const before = snapshot()
    const author = new Author().register(directory)
    send({ relay, feedgen, author })
    const witness = new Author().register(directory)
    const { uri, event } = witness.post('good')
    await feedgen.reached(relay.url, relay.emit(event))

    const after = snapshot()
    const faults = [...after.faults].map(([name, count]) => [name, count - (before.faults.get(name) ?? 0)])
    expect(faults.filter(([, count]) => count !== 0)).toEqual([[fault, 1]])
    expect(after.verified - before.verified).toBe(recordOnly ? 2 : 1)
    /** The rows that came with this case; none that were there before may be gone. */
    const added = (table: string): unknown[] => {
      const [was, is] = [before, after].map(({ tables }) => tables[table]!.map((row) => JSON.stringify(row)))
      expect(is).toEqual(expect.arrayContaining(was!))
      return is!.filter((row) => !was!.includes(row)).map((row) => JSON.parse(row))
    }
    expect(added('posts')).toEqual([expect.objectContaining({ uri })])
    for (const table of ['likes', 'reposts', 'follows', 'actors']) expect(added(table)).toEqual([])
    const dids = (added('repos') as { did: string }[]).map(({ did }) => did)
    expect(new Set(dids)).toEqual(new Set(recordOnly ? [author.did, witness.did] : [witness.did]))
  })
})

describe('the consumer', () => {
  test('a record that an update makes malformed is removed', async () => {
    await using directory = await startDirectory()
    await using relay = await startRelay()
    await using feedgen = await startFeedgen({ endpoints: [relay.url], plcUrl: directory.url })
    const author = new Author().register(directory)
    await feedgen.reached(relay.url, relay.emit(author.commit({ [path]: record({}) })))
    expect(dump(feedgen.file).posts).toHaveLength(1)
    await feedgen.reached(relay.url, relay.emit(author.commit({ [path]: record({ text: null }) })))
    expect(dump(feedgen.file).posts).toHaveLength(0)
  })

  test('events of unknown kinds move the cursor and are no fault', async () => {
    await using directory = await startDirectory()
    await using relay = await startRelay()
    await using feedgen = await startFeedgen({ endpoints: [relay.url], plcUrl: directory.url })
    const seq = relay.send(Buffer.concat([encode({ op: 1, t: '#novelty' }), encode({ seq: 1 })]))
    await feedgen.reached(relay.url, seq)
    expect(feedgen.counts.events.unknown).toBe(1)
    expect(feedgen.counts.faults.size).toBe(0)
  })

  test("a forged event does not move its endpoint's cursor", async () => {
    await using directory = await startDirectory()
    await using relay = await startRelay()
    await using feedgen = await startFeedgen({ endpoints: [relay.url], plcUrl: directory.url })
    const [good, better] = [new Author().register(directory), new Author().register(directory)]
    await feedgen.reached(relay.url, relay.emit(good.post('one').event))
    relay.send(bytes(post(new Author()), Number.MAX_SAFE_INTEGER), 2)
    await eventually(() => feedgen.counts.faults.has('unknown-author'))
    relay.cut()
    await eventually(() => relay.cursors.length === 2)
    expect(relay.cursors).toEqual([0, 1])
    await feedgen.reached(relay.url, relay.emit(better.post('two').event))
    expect(dump(feedgen.file).posts).toHaveLength(2)
  })
})
