/**
 * What the benchmark asks of each server: one entry of `workloads` for each measurement. Every result is a rate, so that
 * more is better and a ratio reads as "times as fast".
 */
import { WebSocket } from 'ws'
import { decodeFrame } from '#protocol/frame.ts'
import type { Account, BenchServer } from './server.ts'

export interface Workload {
  /** What `--only` and the JSON call it. */
  name: string
  /** What is counted for each second. */
  unit: string
  /** Makes what the measurement needs; not measured. */
  prepare(server: BenchServer): Promise<unknown>
  /** Loads the server for about so many seconds; the rate it kept. */
  measure(server: BenchServer, seconds: number): Promise<number>
}

const posterCount = 20
const batchWrites = 200
const archiveRecords = 10_000
const pageRecords = 50
const readersCount = 10
const replayedPosts = 4_000
const POST = 'app.bsky.feed.post'

export const workloads: readonly Workload[] = [
  // First, while the log holds the same events on both servers.
  {
    name: 'firehose replay',
    unit: 'events/s',
    prepare: (server) => eventLog(server),
    measure: async (server, seconds) => {
      const { events } = await eventLog(server)
      return rate(1, seconds, () => replay(server, events))
    },
  },
  {
    name: `createRecord, ${posterCount} accounts at once`,
    unit: 'posts/s',
    prepare: (server) => posters(server),
    measure: async (server, seconds) => {
      const accounts = await posters(server)
      return rate(posterCount, seconds, async (worker) => {
        await createPost(server, accounts[worker] as Account)
        return 1
      })
    },
  },
  {
    name: 'createRecord, one account in a row',
    unit: 'posts/s',
    prepare: (server) => posters(server),
    measure: async (server, seconds) => {
      const [account] = (await posters(server)) as [Account]
      return rate(1, seconds, async () => {
        await createPost(server, account)
        return 1
      })
    },
  },
  {
    name: `applyWrites of ${batchWrites}`,
    unit: 'records/s',
    prepare: async () => {},
    measure: async (server, seconds) => {
      // A new account each time: a repository that grows from round to round would slow the faster server more.
      const account = await server.createAccount()
      return rate(1, seconds, async () => {
        await createPosts(server, account, batchWrites)
        return batchWrites
      })
    },
  },
  {
    name: `getRepo, ${archiveRecords} records`,
    unit: 'MB/s',
    prepare: (server) => archive(server),
    measure: async (server, seconds) => {
      const { account } = await archive(server)
      const params = `did=${account.did}`
      return rate(1, seconds, async () => (await server.fetchBytes('com.atproto.sync.getRepo', params)) / 1e6)
    },
  },
  {
    name: `listRecords, pages of ${pageRecords}`,
    unit: 'pages/s',
    prepare: (server) => archive(server),
    measure: async (server, seconds) => {
      const { account, pages } = await archive(server)
      const next = cycle(
        pages.map((cursor) => `repo=${account.did}&collection=${POST}&limit=${pageRecords}&cursor=${cursor}`),
      )
      return rate(readersCount, seconds, async () => {
        await server.fetchBytes('com.atproto.repo.listRecords', next())
        return 1
      })
    },
  },
  {
    name: 'getRecord',
    unit: 'records/s',
    prepare: (server) => archive(server),
    measure: async (server, seconds) => {
      const { account, rkeys } = await archive(server)
      const next = cycle(rkeys.map((rkey) => `repo=${account.did}&collection=${POST}&rkey=${rkey}`))
      return rate(readersCount, seconds, async () => {
        await server.fetchBytes('com.atproto.repo.getRecord', next())
        return 1
      })
    },
  },
]

/** Runs `step` over and over in so many workers until the time is up; the sum of what the steps returned, for each second. */
async function rate(
  workers: number,
  seconds: number,
  step: (worker: number) => Promise<number>,
): Promise<number> {
  const started = performance.now()
  const deadline = started + seconds * 1000
  let sum = 0
  const work = async (worker: number) => {
    // At least once, however slow the server is.
    do {
      const done = await step(worker)
      sum += done
    } while (performance.now() < deadline)
  }
  await Promise.all(Array.from({ length: workers }, (_, worker) => work(worker)))
  return sum / ((performance.now() - started) / 1000)
}

/** What several measurements share: made for a server when it is first asked for, then kept. */
function fixture<T>(make: (server: BenchServer) => Promise<T>): (server: BenchServer) => Promise<T> {
  const made = new WeakMap<BenchServer, Promise<T>>()
  return (server) => {
    const found = made.get(server) ?? make(server)
    made.set(server, found)
    return found
  }
}

/** The accounts that post. */
const posters = fixture((server) =>
  Promise.all(Array.from({ length: posterCount }, () => server.createAccount())),
)

/** An account whose repository is as large as an ordinary person's after some years. */
const archive = fixture(async (server) => {
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

/** A log of single posts by many, and how many events it has from its beginning to the last of them. */
const eventLog = fixture(async (server) => {
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

/** Reads so many events from the log's beginning; how many they were. */
async function replay(server: BenchServer, events: number): Promise<number> {
  let seen = 0
  await readFirehose(server, () => ++seen === events)
  return seen
}

/** Reads the firehose from the beginning of its log until `isLast` says so of a frame. */
function readFirehose(server: BenchServer, isLast: (frame: Buffer) => boolean): Promise<void> {
  const socket = new WebSocket(server.subscriptionUrl('com.atproto.sync.subscribeRepos', 'cursor=0'), {
    perMessageDeflate: false,
    skipUTF8Validation: true,
  })
  return new Promise((resolve, reject) => {
    socket.on('message', (frame: Buffer) => {
      if (!isLast(frame)) return
      resolve()
      socket.removeAllListeners('message')
      socket.terminate()
    })
    socket.on('error', reject)
    socket.on('close', (code) => reject(new Error(`the firehose was closed with code ${code}`)))
  })
}

interface Written {
  uri: string
  commit: { rev: string }
}

function createPost(server: BenchServer, account: Account): Promise<Written> {
  const input = { repo: account.did, collection: POST, record: post() }
  return server.call<Written>('com.atproto.repo.createRecord', input, account)
}

/** Writes posts in one commit; their record keys. */
async function createPosts(server: BenchServer, account: Account, count: number): Promise<string[]> {
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
function post(): Record<string, unknown> {
  return {
    $type: POST,
    text: `Post number ${++postCount}: the tide came in over the reef this morning, and the lagoon was full again by noon.`,
    langs: ['en'],
    createdAt: new Date().toISOString(),
  }
}

function cycle<T>(items: readonly T[]): () => T {
  let next = 0
  return () => items[next++ % items.length] as T
}
