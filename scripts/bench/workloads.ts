/**
 * What the benchmark asks of each server: one entry of `workloads` for each measurement. Most
 * results are rates, where more is better; a ratio reads as "times as good" either way.
 */
import {
  archive,
  archiveRecords,
  batchWrites,
  carOf,
  createPost,
  createPosts,
  eventLog,
  POST,
  pageRecords,
  posterCount,
  posters,
} from './fixtures.ts'
import type { Account, BenchServer } from './server.ts'
import { LiveSubscribers, replay } from './subscribers.ts'

export interface Workload {
  /** What `--only` and the JSON call it. */
  name: string
  unit: string
  /** For what a server takes rather than does. */
  lessIsBetter?: true
  /** Makes what the measurement needs; not measured. */
  prepare(server: BenchServer): Promise<unknown>
  /** Loads the server for about so many seconds; what it came to, in `unit`. */
  measure(server: BenchServer, seconds: number): Promise<number>
}

const readersCount = 10
const importedRecords = 50_000
const subscriberCount = 100
/** More than any server deletes in a second, one after the other. */
const deletesMaxPerSecond = 2_000
const storedPosts = 10_000

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
      // A new account each time: a repository that grows from round to round would slow the faster
      // server more.
      const account = await server.createAccount()
      return rate(1, seconds, async () => {
        await createPosts(server, account, batchWrites)
        return batchWrites
      })
    },
  },
  {
    name: 'putRecord of a profile',
    unit: 'writes/s',
    prepare: (server) => posters(server),
    measure: async (server, seconds) => {
      const [account] = (await posters(server)) as [Account]
      const collection = 'app.bsky.actor.profile'
      const names = cycle(['Ada', 'Grace', 'Hedy'])
      return rate(1, seconds, async () => {
        const record = { $type: collection, displayName: names(), description: new Date().toISOString() }
        const input = { repo: account.did, collection, rkey: 'self', record }
        await server.call('com.atproto.repo.putRecord', input, account)
        return 1
      })
    },
  },
  {
    name: 'deleteRecord',
    unit: 'writes/s',
    prepare: async () => {},
    measure: async (server, seconds) => {
      const account = await server.createAccount()
      const rkeys: string[] = []
      while (rkeys.length < deletesMaxPerSecond * seconds) {
        rkeys.push(...(await createPosts(server, account, batchWrites)))
      }
      return rate(1, seconds, async () => {
        const input = { repo: account.did, collection: POST, rkey: rkeys.pop() }
        await server.call('com.atproto.repo.deleteRecord', input, account)
        return 1
      })
    },
  },
  {
    name: `firehose, ${subscriberCount} live subscribers`,
    unit: 'events/s',
    prepare: (server) => posters(server),
    measure: async (server, seconds) => {
      const accounts = await posters(server)
      using subscribers = await LiveSubscribers.connect(server, subscriberCount)
      const started = performance.now()
      let posts = 0
      await rate(posterCount, seconds, async (worker) => {
        await createPost(server, accounts[worker] as Account)
        return ++posts
      })
      await subscribers.until(posts * subscriberCount)
      return subscribers.events / ((performance.now() - started) / 1000)
    },
  },
  {
    name: `getRepo, ${archiveRecords} records`,
    unit: 'MB/s',
    prepare: (server) => archive(server),
    measure: async (server, seconds) => {
      const { account } = await archive(server)
      // Nobody has an archive ready of what was written a moment ago.
      await createPost(server, account)
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
  {
    name: `importRepo, ${importedRecords} records`,
    unit: 'records/s',
    prepare: async () => {},
    measure: async (server) => {
      const account = await server.createAccount()
      const archive = carOf(account.did, importedRecords)
      return rate(1, 0, async () => {
        await server.send('com.atproto.repo.importRepo', archive, 'application/vnd.ipld.car', account)
        return importedRecords
      })
    },
  },
  {
    name: 'createAccount',
    unit: 'accounts/s',
    prepare: async () => {},
    measure: (server, seconds) =>
      rate(posterCount, seconds, async () => {
        await server.createAccount()
        return 1
      }),
  },
  {
    name: 'createSession',
    unit: 'sessions/s',
    prepare: (server) => posters(server),
    measure: async (server, seconds) => {
      const accounts = await posters(server)
      return rate(posterCount, seconds, async (worker) => {
        await server.createSession(accounts[worker] as Account)
        return 1
      })
    },
  },
  {
    name: `disk, ${storedPosts} posts`,
    unit: 'MB',
    lessIsBetter: true,
    prepare: async () => {},
    measure: async (server) => {
      const account = await server.createAccount()
      const before = server.diskBytes()
      for (let posts = 0; posts < storedPosts; posts += batchWrites) {
        await createPosts(server, account, batchWrites)
      }
      return (server.diskBytes() - before) / 1e6
    },
  },
  // Last, with all that came before in it.
  {
    name: 'memory at rest',
    unit: 'MB',
    lessIsBetter: true,
    prepare: async () => {},
    measure: async (server) => server.residentBytes() / 1e6,
  },
]

/**
 * Runs `step` over and over in so many workers until the time is up; the sum of what the steps
 * returned, for each second.
 */
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

function cycle<T>(items: readonly T[]): () => T {
  let next = 0
  return () => items[next++ % items.length] as T
}
