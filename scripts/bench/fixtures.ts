/**
 * What the measurements ask a server to hold: accounts, posts, archives. Made over HTTP when first
 * asked for, then kept.
 */
import { carBlock, carHeader } from '#protocol/car.ts'
import { encode } from '#protocol/cbor.ts'
import { cidForCbor } from '#protocol/cid.ts'
import { signCommit } from '#protocol/commit.ts'
import { decodeFrame } from '#protocol/frame.ts'
import { generateKey } from '#protocol/keys.ts'
import { EMPTY_ROOT, encodeNode, nodesOf } from '#protocol/mst/node.ts'
import { applyOps } from '#protocol/mst/tree.ts'
import { tidFromMicros } from '#protocol/tid.ts'
import type { Account, BenchServer } from './server.ts'
import { readFirehose } from './subscribers.ts'

export const posterCount = 20
export const batchWrites = 200
export const archiveRecords = 10_000
export const pageRecords = 50
const replayedPosts = 4_000
export const POST = 'app.bsky.feed.post'

/** What several measurements share: made for a server when it is first asked for, then kept. */
export function fixture<T>(make: (server: BenchServer) => Promise<T>): (server: BenchServer) => Promise<T> {
  const made = new WeakMap<BenchServer, Promise<T>>()
  return (server) => {
    const found = made.get(server) ?? make(server)
    made.set(server, found)
    return found
  }
}

/** The accounts that post. */
export const posters = fixture((server) =>
  Promise.all(Array.from({ length: posterCount }, () => server.createAccount())),
)

/** An account whose repository is as large as an ordinary person's after some years. */
export const archive = fixture(async (server) => {
  const account = await server.createAccount()
  const rkeys: string[] = []
  while (rkeys.length < archiveRecords) rkeys.push(...(await createPosts(server, account, batchWrites)))
  const pages: string[] = []
  for (let cursor: string | undefined; ; pages.push(cursor)) {
    const page = await server.query<{ cursor?: string }>(
      'com.atproto.repo.listRecords',
      `repo=${account.did}&collection=${POST}&limit=${pageRecords}${cursor ? `&cursor=${cursor}` : ''}`,
    )
    cursor = page.cursor
    if (cursor === undefined) break
  }
  return { account, rkeys, pages }
})

/**
 * A log of single posts by many, and how many events it has from its beginning to the last of them.
 */
export const eventLog = fixture(async (server) => {
  const accounts = await posters(server)
  await Promise.all(
    accounts.map(async (account) => {
      for (let post = 0; post < replayedPosts / posterCount; post++) await createPost(server, account)
    }),
  )
  const { commit } = await createPost(server, accounts[0] as Account)
  let events = 0
  await readFirehose(server, (frame) => {
    events++
    const event = decodeFrame(frame)
    return event.kind === 'commit' && event.rev === commit.rev
  })
  return { events }
})

interface Written {
  uri: string
  commit: { rev: string }
}

export function createPost(server: BenchServer, account: Account): Promise<Written> {
  const input = { repo: account.did, collection: POST, record: post() }
  return server.call<Written>('com.atproto.repo.createRecord', input, account)
}

/** Writes posts in one commit; their record keys. */
export async function createPosts(server: BenchServer, account: Account, count: number): Promise<string[]> {
  const writes = Array.from({ length: count }, () => ({
    $type: 'com.atproto.repo.applyWrites#create',
    collection: POST,
    value: post(),
  }))
  const { results } = await server.call<{ results: { uri: string }[] }>(
    'com.atproto.repo.applyWrites',
    { repo: account.did, writes },
    account,
  )
  return results.map(({ uri }) => uri.slice(uri.lastIndexOf('/') + 1))
}

let postCount = 0

/** A post of ordinary length, unlike any other. */
export function post(): Record<string, unknown> {
  return {
    $type: POST,
    text: `Post number ${++postCount}: the tide came in over the reef this morning, and the lagoon was full again by noon.`,
    langs: ['en'],
    createdAt: new Date().toISOString(),
  }
}

/**
 * A repository of so many posts as a CAR file, signed with a key of its own: one that comes from
 * another host.
 */
export function carOf(did: string, count: number): Buffer {
  const start = Date.UTC(2024, 0, 1) * 1000
  const blocks: Buffer[] = []
  const ops = Array.from({ length: count }, (_, n) => {
    const block = encode(post())
    const value = cidForCbor(block)
    blocks.push(carBlock(value, block))
    return { key: `${POST}/${tidFromMicros(start + n * 1_000_003, 0)}`, value, prev: null }
  })
  const empty = nodesOf(new Map([[EMPTY_ROOT, encodeNode({ left: null, entries: [] })]]))
  const { root, created } = applyOps(empty, EMPTY_ROOT, ops)
  for (const [cid, block] of created) blocks.push(carBlock(cid, block))
  const rev = tidFromMicros(Date.now() * 1000, 0)
  const commit = signCommit({ did, data: root, rev, prev: null }, generateKey())
  return Buffer.concat([carHeader(commit.cid), carBlock(commit.cid, commit.block), ...blocks])
}
