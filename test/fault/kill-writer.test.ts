/**
 * Two processes serve one index in PostgreSQL. `kill -9` of the one that writes: the other writes
 * on, from the last event that counted, once the lease has ended.
 */
import path from 'node:path'
import { expect, test } from 'vitest'
import { dumpPostgres, eventually } from '../feedgen/support.ts'
import { Author, randomPlcDid } from '../support/author.ts'
import { startDirectory } from '../support/directory.ts'
import { startPostgres } from '../support/postgres.ts'
import { type RunningProcess, startProcess, temporaryFolder } from '../support/processes.ts'
import { startRelay } from '../support/relay.ts'
import { killNow } from './pds.ts'

const publisher = randomPlcDid()
const feed = `at://${publisher}/app.bsky.feed.generator/latest`
const WRITES = 'this process writes the index'

test('another feed generator takes over writing when the writer is killed', {
  timeout: 240_000,
}, async () => {
  await using postgres = await startPostgres()
  await using directory = await startDirectory()
  await using relay = await startRelay()
  using folder = temporaryFolder()
  const database = await postgres.database()
  const author = new Author().register(directory)
  const posts: string[] = []
  const post = (count: number) => {
    for (let i = 0; i < count; i++) {
      const { uri, event } = author.post(`post ${posts.length}`)
      relay.emit(event)
      posts.push(uri)
    }
  }
  const start = (name: string) =>
    startProcess({
      file: 'feedgen/main.ts',
      env: {
        FEEDGEN_PORT: '0',
        FEEDGEN_HOSTNAME: 'feeds.test',
        FEEDGEN_DATA_DIRECTORY: path.join(folder.path, name),
        FEEDGEN_DATABASE_URL: database,
        FEEDGEN_SUBSCRIPTION_ENDPOINT: relay.url,
        FEEDGEN_SUBSCRIPTION_RECONNECT_DELAY: '20ms',
        FEEDGEN_PUBLISHER_DID: publisher,
        FEEDGEN_BACKFILL: 'false',
        FEEDGEN_DEV_MODE: 'true',
        PDS_DID_PLC_URL: directory.url,
        LOG_ENABLED: 'true',
      },
      ready: /^feed generator at/m,
    })

  post(50)
  await using first = await start('first')
  await eventually(() => first.output().includes(WRITES))
  await using second = await start('second')
  for (const served of [first, second]) await eventually(async () => (await shown(served)) === 50)
  expect(second.output()).not.toContain(WRITES)

  // It dies in the midst of events, of which some are written and others not.
  post(2000)
  await eventually(async () => (await shown(second)) > 50)
  await killNow(first)
  post(20)
  const written = async () => (await dumpPostgres(database)).posts as { uri: string }[]
  expect((await written()).length).toBeLessThan(posts.length)
  expect(await shown(second)).toBeGreaterThan(50)

  await eventually(() => second.output().includes(WRITES))
  await eventually(async () => (await shown(second)) === posts.length)
  expect((await written()).map(({ uri }) => uri).sort()).toEqual(posts.toSorted())

  // The one that was killed comes back and serves; it writes when the other stops, without waiting
  // for the lease to end.
  await using again = await start('first')
  post(10)
  for (const served of [second, again]) await eventually(async () => (await shown(served)) === posts.length)
  expect(again.output()).not.toContain(WRITES)
  expect(await second.stop()).toBe(0)
  post(10)
  await eventually(async () => (await shown(again)) === posts.length)
  const dump = await dumpPostgres(database)
  expect(dump.posts).toHaveLength(posts.length)
  expect(dump.cursors).toEqual([{ endpoint: relay.url, seq: posts.length }])
  expect(dump.repos).toMatchObject([{ did: author.did, jumped: 0 }])
})

/** How many posts the feed of a process shows. */
async function shown(process: RunningProcess): Promise<number> {
  const [url] = /http:\S+/.exec(process.output()) as RegExpExecArray
  let count = 0
  let cursor: string | undefined
  do {
    const params = new URLSearchParams({ feed, limit: '100', ...(cursor && { cursor }) })
    const response = await fetch(`${url}/xrpc/app.bsky.feed.getFeedSkeleton?${params}`)
    const page = (await response.json()) as { feed: unknown[]; cursor?: string }
    expect(response.status, JSON.stringify(page)).toBe(200)
    count += page.feed.length
    cursor = page.cursor
  } while (cursor)
  return count
}
