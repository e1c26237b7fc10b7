/** What concerns all that an account posted is done in steps, and hidden from the first moment. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { encode } from '#protocol/cbor.ts'
import { type Index, openIndex } from '../../../feedgen/index/database.ts'
import { keepSweeping } from '../../../feedgen/index/sweeping.ts'
import { SWEEP_ROWS_MAX } from '../../../feedgen/index/write/event-batch.ts'
import type { Change, IndexEvent } from '../../../feedgen/index/write/events.ts'
import { eventually } from '../support.ts'
import { newLocation, stores, usePostgres, writtenIndex } from './stores.ts'

usePostgres()

const [did, other] = ['did:plc:swept', 'did:plc:other']
const RECORDS = 1200
const record = encode({ $type: 'app.bsky.feed.post', text: 'x' })
const rkeyOf = (i: number) => String(i).padStart(6, '0')
const uriOf = (by: string, rkey: string) => `at://${by}/app.bsky.feed.post/${rkey}`
const post = (by: string, rkey: string): Change => ({
  table: 'posts',
  uri: uriOf(by, rkey),
  row: { sort_at: 1, seen_at: 1, reply_root: null, reply_parent: null, quote: null, record },
})
const all = Array.from({ length: RECORDS }, (_, i) => rkeyOf(i))
const ofOther = uriOf(other, 'of-other')

/** An account with many posts and likes, and one that is left alone. */
async function stage(index: Index): Promise<void> {
  const changes = all.flatMap((rkey): Change[] => [
    post(did, rkey),
    { table: 'likes', uri: `at://${did}/app.bsky.feed.like/${rkey}`, row: { subject: ofOther } },
    {
      table: 'reposts',
      uri: `at://${did}/app.bsky.feed.repost/${rkey}`,
      row: { subject: ofOther, sort_at: 1 },
    },
  ])
  await index.writer.apply([
    { kind: 'commit', did: other, rev: '1', data: 'x', changes: [post(other, 'of-other')] },
    { kind: 'commit', did, rev: '1', data: 'one', changes },
  ])
}

const shownBy = async (index: Index) => {
  const found = await index.facts.newest({ since: 0, limit: 5000 })
  return [...(await index.facts.uris(found.map(({ id }) => id))).values()].sort()
}
const reposters = async (index: Index) => {
  const account = (await index.facts.accounts([did])).get(did)!
  return (await index.facts.repostedBy([account], { since: 0, limit: 9 })).length
}
const likesOfOther = async (index: Index) =>
  (await index.facts.postsByUri([ofOther])).get(ofOther)?.likes ?? expect.unreachable()
const deleted: IndexEvent = { kind: 'account', did, active: false, status: 'deleted' }
const sync: IndexEvent = { kind: 'sync', did, rev: '2', data: 'two' }

describe.for(stores)('in %s', (store) => {
  test('a deleted account is hidden at once and removed in steps, over the end of a process', async () => {
    const location = await newLocation(store)
    const index = await writtenIndex(location)
    await stage(index)
    expect(await likesOfOther(index)).toBe(1)
    await index.writer.apply([deleted])
    expect(await shownBy(index)).toEqual([ofOther])
    expect(await reposters(index)).toBe(0)
    const left = async () => (await index.facts.newest({ since: 0, limit: 5000 })).length
    let steps = 0
    while (steps < 3 && (await index.writer.sweep())) steps++
    expect([steps, await left()]).toEqual([3, 1])
    // What another process finds in the tables is all that it needs to go on.
    await using again = await openIndex(location)
    const writer = store === 'SQLite' ? again.writer : index.writer
    const events: IndexEvent[] = [
      { kind: 'commit', did: other, rev: '2', prevData: 'x', data: 'y', changes: [post(other, 'later')] },
    ]
    expect(await writer.apply([...events, { ...sync, rev: '9' }])).toEqual(['applied', 'deleted'])
    for (; await writer.sweep(); steps++);
    expect(steps).toBeGreaterThanOrEqual((3 * RECORDS) / SWEEP_ROWS_MAX - 1)
    expect(await likesOfOther(index)).toBe(0)
    expect(await shownBy(index)).toEqual([uriOf(other, 'later'), ofOther].sort())
    const account = (await index.facts.accounts([did])).get(did)!
    expect((await index.facts.likes([account], { each: 9 })).size).toBe(0)
  })

  test('what a repository that jumped had before is hidden at once, what comes later is shown when all is marked', async () => {
    const index = await writtenIndex(await newLocation(store))
    await stage(index)
    const jumped: IndexEvent = {
      kind: 'commit',
      did,
      rev: '3',
      since: '2',
      prevData: 'two',
      data: 'three',
      changes: [post(did, '000500x')],
    }
    expect(await index.writer.apply([jumped])).toEqual(['jumped'])
    expect(await shownBy(index)).toEqual([ofOther])
    expect(await reposters(index)).toBe(0)
    // While it goes on, nobody fetches the repository, whose posts it would hide again.
    expect(await index.pending.jumped(9, 0)).toEqual([])
    expect(await index.writer.clean({ did, rev: '3', data: 'three', present: new Map() })).toBe('stale')
    const next: IndexEvent = {
      ...jumped,
      rev: '4',
      since: '3',
      prevData: 'three',
      data: 'four',
      changes: [post(did, '000900x')],
    }
    expect(await index.writer.apply([next, { kind: 'account', did, active: true }])).toEqual([
      'applied',
      'applied',
    ])
    expect(await shownBy(index)).toEqual([ofOther])
    while (await index.writer.sweep());
    expect(await shownBy(index)).toEqual([uriOf(did, '000500x'), uriOf(did, '000900x'), ofOther].sort())
    expect(await reposters(index)).toBe(0)
    expect(await index.pending.jumped(9, 0)).toMatchObject([{ did }])
  })

  test('an account that is taken down or comes back meanwhile is so at the end', async () => {
    const index = await writtenIndex(await newLocation(store))
    await stage(index)
    await index.writer.apply([sync, { kind: 'account', did, active: false, status: 'takendown' }])
    while (await index.writer.sweep());
    expect(await index.pending.jumped(9, 0)).toEqual([])
    await index.writer.apply([{ kind: 'account', did, active: true }])
    expect(await index.pending.jumped(9, 0)).toMatchObject([{ did }])

    // Deleted and back: what was not removed yet is looked at whether it is there.
    await index.writer.apply([deleted, { kind: 'account', did, active: true }])
    const first: IndexEvent = { kind: 'commit', did, rev: '1', data: 'new', changes: [post(did, 'new')] }
    expect(await index.writer.apply([first])).toEqual(['applied'])
    while (await index.writer.sweep());
    expect(await shownBy(index)).toEqual([uriOf(did, 'new'), ofOther].sort())
    expect(await index.pending.jumped(9, 0)).toMatchObject([{ did }])
  })
})

test('it goes on by itself, and after an error', async () => {
  const steps: (boolean | Error)[] = [true, true, new Error('busy')]
  let asked = 0
  const sweeping = keepSweeping({
    async sweep() {
      asked++
      const step = steps.shift() ?? false
      if (step instanceof Error) throw step
      return step
    },
  })
  await eventually(() => asked === 4)
  await sweeping[Symbol.asyncDispose]()
  await sleep(20)
  expect(asked).toBe(4)
})
