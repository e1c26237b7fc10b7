/** What is forgotten and what stays, and who may write. */
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { logger } from '#platform/log.ts'
import { encode } from '#protocol/cbor.ts'
import { openIndex } from '../../../feedgen/index/database.ts'
import { Lease, LeaseLostError } from '../../../feedgen/index/postgres/lease.ts'
import { openPostgres } from '../../../feedgen/index/postgres/store.ts'
import { keepPruning } from '../../../feedgen/index/retention.ts'
import type { Change, IndexEvent } from '../../../feedgen/index/write/events.ts'
import { eventually } from '../support.ts'
import { newLocation, stores, usePostgres, writtenIndex } from './stores.ts'

usePostgres()

const HOUR_MS = 3_600_000
const did = 'did:plc:a'

function posted(rkey: string, hoursAgo: number): IndexEvent {
  const at = Date.now() - hoursAgo * HOUR_MS
  const uri = `at://${did}/app.bsky.feed.post/${rkey}`
  const record = encode({ $type: 'app.bsky.feed.post', text: rkey })
  const row = { sort_at: at, seen_at: at, reply_root: null, reply_parent: null, quote: null, record }
  const like: Change = {
    table: 'likes',
    uri: `at://${did}/app.bsky.feed.like/${rkey}`,
    row: { subject: uri },
  }
  return { kind: 'commit', did, rev: rkey, changes: [{ table: 'posts', uri, row }, like] }
}

describe.for(stores)('pruning in %s', (store) => {
  test('removes old posts that no definition has, with their likes, and matches out of their windows', async () => {
    const index = await writtenIndex(await newLocation(store), { postHours: 24 })
    index.writer.matchWith(({ record }) => (record.text === 'new' ? [] : record.text === 'old' ? [1] : [2]))
    await index.writer.apply([posted('kept', 90), posted('new', 1), posted('old', 80), posted('other', 80)])
    const posts = async () => {
      const found = await index.facts.newest({ since: 0, limit: 9 })
      return [...(await index.facts.uris(found.map(({ id }) => id))).values()].map((uri) =>
        uri.split('/').at(-1),
      )
    }
    const definition = (rkey: string): Change => ({
      table: 'definitions',
      uri: `at://${did}/social.atoll.feed.algorithm/${rkey}`,
      row: { record: encode({}) },
    })
    await index.writer.apply([
      { kind: 'commit', did, rev: 'x', changes: [definition('one'), definition('two')] },
    ])
    expect(await index.retention.definitions()).toEqual([1, 2])
    expect((await posts()).sort()).toEqual(['kept', 'new', 'old', 'other'])
    // The second definition keeps what is younger than 85 hours, the first nothing.
    const hoursOf = (id: number) => (id === 2 ? 85 : undefined)
    await using _pruning = keepPruning(index.retention, { hoursOf, hoursUnfilled: () => 0 })
    await eventually(async () => (await posts()).length === 2)
    expect((await posts()).sort()).toEqual(['new', 'other'])
    const me = (await index.facts.accounts([did])).get(did)!
    expect((await index.facts.likes([me], { each: 9 })).get(me)).toHaveLength(2)
  })

  test('keeps what a definition may still match, until it has all of its past', async () => {
    const index = await writtenIndex(await newLocation(store), { postHours: 24 })
    await index.writer.apply([posted('new', 1), posted('old', 80), posted('older', 90)])
    expect(await index.retention.prunePosts(0, { hoursMin: 100 })).toMatchObject({ removed: 0 })
    expect(await index.retention.prunePosts(0, { hoursMin: 85 })).toMatchObject({ removed: 1 })
    expect(await index.retention.prunePosts(0, { hoursMin: 1 })).toMatchObject({ removed: 1 })
    expect(await index.facts.newest({ since: 0, limit: 9 })).toHaveLength(1)
  })

  test('a definition that is withdrawn has its past taken in again when it is back', async () => {
    const index = await writtenIndex(await newLocation(store), { postHours: 24 })
    index.writer.matchWith(() => [1])
    const row = { record: encode({}) }
    const uri = `at://${did}/social.atoll.feed.algorithm/x`
    await index.writer.apply([
      { kind: 'commit', did, rev: 'x', changes: [{ table: 'definitions', uri, row }] },
      posted('old', 30),
    ])
    const filled = async () => (await index.reader.definitions(0)).map(({ filledVersion }) => filledVersion)
    await index.writer.setFilled(1, 1)
    expect(await index.retention.pruneMatches(1, Date.now() - 40 * HOUR_MS)).toBe(false)
    expect(await filled()).toEqual([1])
    expect(await index.retention.pruneWithdrawn(1)).toBe(false)
    expect(await filled()).toEqual([null])
    expect(await index.facts.matched(1, { since: 0, limit: 9 })).toEqual([])
  })

  test('what the store refuses of an account keeps nothing said of others out, and is in the log', async () => {
    const index = await writtenIndex(await newLocation(store), { postHours: 24 })
    const dids = Array.from({ length: 7 }, (_, i) => `did:plc:${i}`)
    const said = new Map(dids.map((did, i) => [did, { followers: i, readAt: i === 4 ? Number.NaN : 5 }]))
    await index.pending.keepAccountFacts(said)
    expect([...(await index.pending.accountFacts(dids)).keys()].sort()).toEqual(dids.toSpliced(4, 1))
  })

  test('what a viewer wished of an author counts after the post was forgotten', async () => {
    const index = await writtenIndex(await newLocation(store), { postHours: 24 })
    await index.writer.apply([posted('old', 30)])
    const [item, viewer] = [`at://${did}/app.bsky.feed.post/old`, 'did:plc:viewer']
    await index.interactions.keep(viewer, undefined, [{ item, event: 'app.bsky.feed.defs#requestLess' }])
    const known = await index.facts.accounts([did, viewer])
    expect(await index.retention.prunePosts(0)).toMatchObject({ removed: 1 })
    expect(await index.facts.feedback(known.get(viewer)!)).toEqual(new Map([[known.get(did), -1]]))
  })

  test('forgets what viewers saw and wished for, each at its age, in steps', async () => {
    const options = { postHours: 24, seenHours: 10, interactionHours: 20, accountHours: 30 }
    const index = await writtenIndex(await newLocation(store), options)
    const rkeys = Array.from({ length: 1001 }, (_, i) => `p${String(i).padStart(4, '0')}`)
    await index.writer.apply(rkeys.map((rkey) => posted(rkey, 1)))
    const reports = (events: string[]) =>
      rkeys.flatMap((rkey) =>
        events.map((event) => ({
          item: `at://${did}/app.bsky.feed.post/${rkey}`,
          event: `app.bsky.feed.defs#${event}`,
        })),
      )
    await index.interactions.keep('did:plc:viewer', undefined, reports(['interactionSeen', 'requestLess']))
    const known = await index.facts.accounts([did, 'did:plc:viewer'])
    const [author, viewer] = [known.get(did)!, known.get('did:plc:viewer')!]
    const ids = (await index.facts.newest({ since: 0, limit: 2000 })).map(({ id }) => id)
    const wishes = async () => (await index.facts.feedback(viewer)).get(author)
    const inHours = (hours: number) => Date.now() + hours * HOUR_MS

    expect(await index.retention.pruneSeen(inHours(9))).toBe(false)
    expect((await index.facts.seen(viewer, ids)).size).toBe(1001)
    expect(await index.retention.pruneSeen(inHours(11))).toBe(true)
    expect(await index.retention.pruneSeen(inHours(11))).toBe(false)
    expect((await index.facts.seen(viewer, ids)).size).toBe(0)

    expect(await index.retention.pruneInteractions(inHours(19))).toBe(false)
    expect(await wishes()).toBe(-1001)
    expect(await index.retention.pruneInteractions(inHours(21))).toBe(true)
    expect(await wishes()).toBe(-1)
    expect(await index.retention.pruneInteractions(inHours(21))).toBe(false)
    expect(await wishes()).toBeUndefined()

    const read = { createdAt: 5, followers: 7, readAt: Date.now() }
    const others = Array.from({ length: 1001 }, (_, i) => `did:plc:${i}`)
    await index.pending.keepAccountFacts(new Map(others.map((did) => [did, read])))
    expect(await index.retention.pruneAccountFacts(inHours(29))).toBe(false)
    expect((await index.pending.accountFacts(others)).size).toBe(1001)
    expect(await index.retention.pruneAccountFacts(inHours(31))).toBe(true)
    expect(await index.retention.pruneAccountFacts(inHours(31))).toBe(false)
    expect((await index.pending.accountFacts(others)).size).toBe(0)
  })
})

describe('several processes on PostgreSQL', () => {
  test('of which one does not answer for a while: the one that writes goes on', async () => {
    const db = openPostgres(await newLocation('PostgreSQL'))
    onTestFinished(() => db.destroy())
    const lease = new Lease(db, 40)
    const answers: (boolean | Error)[] = [true, new Error('terminating connection'), true, false, true]
    const take = vi.spyOn(lease, 'take').mockImplementation(async () => {
      const answer = answers.shift() ?? true
      if (answer instanceof Error) throw answer
      return answer
    })
    vi.spyOn(lease, 'release').mockResolvedValue()
    const error = vi.spyOn(logger('index'), 'error')
    const done: string[] = []
    const writing = lease.whileHeld(() => {
      done.push('begins')
      return { [Symbol.asyncDispose]: async () => void done.push('ends') }
    })
    await eventually(() => take.mock.calls.length > 5)
    await writing[Symbol.asyncDispose]()
    expect(done).toEqual(['begins', 'ends', 'begins', 'ends'])
    expect(error).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ todo: expect.any(String) }),
      expect.any(String),
    )
    error.mockRestore()
  })

  test('a connection that breaks while nothing uses it is in the log', async () => {
    const location = await newLocation('PostgreSQL')
    const warn = vi.spyOn(logger('index'), 'warn')
    const idle = openPostgres(location)
    const other = openPostgres(location)
    onTestFinished(async () => {
      warn.mockRestore()
      await Promise.all([idle.destroy(), other.destroy()])
    })
    await sql`select 1`.execute(idle)
    await sql`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`.execute(other)
    await eventually(() => warn.mock.calls.length > 0)
    expect(warn.mock.calls[0]?.[0]).toMatchObject({ err: expect.any(Error), todo: expect.any(String) })
    await sql`select 1`.execute(idle)
  })

  test('of which one writes, and another when that one is gone', async () => {
    const location = await newLocation('PostgreSQL')
    const options = { postHours: 24, leaseMs: 400 }
    const [one, two] = [await openIndex(location, options), await openIndex(location, options)]
    const writing: string[] = []
    const begin = (name: string) => () => {
      writing.push(name)
      return { [Symbol.asyncDispose]: async () => void writing.splice(writing.indexOf(name), 1) }
    }
    const first = one.whileWriting(begin('one'))
    await eventually(() => writing.length === 1)
    const second = two.whileWriting(begin('two'))
    await one.writer.apply([posted('1', 1)], { endpoint: 'ws://relay', seq: 1 })
    await expect(two.writer.apply([posted('2', 1)])).rejects.toThrow(LeaseLostError)
    await sleep(options.leaseMs * 2)
    expect(writing).toEqual(['one'])

    await first[Symbol.asyncDispose]()
    await eventually(() => writing.includes('two'))
    expect(await two.writer.cursor('ws://relay')).toBe(1)
    await two.writer.apply([posted('2', 1)], { endpoint: 'ws://relay', seq: 2 })
    // Whoever was thought dead and is not cannot write.
    await expect(one.writer.apply([posted('3', 1)])).rejects.toThrow(LeaseLostError)
    expect(await one.facts.newest({ since: 0, limit: 9 })).toHaveLength(2)

    await second[Symbol.asyncDispose]()
    for (const index of [one, two]) await index[Symbol.asyncDispose]()
  })
})
