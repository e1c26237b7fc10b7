/** A repository that was fetched whole is cleaned in steps. */
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { migrate } from '../../../../feedgen/index/migrations.ts'
import { openSqliteStore } from '../../../../feedgen/index/sqlite/store.ts'
import type { Store } from '../../../../feedgen/index/store.ts'
import type { Change, RepositoryContent, RepositoryTable } from '../../../../feedgen/index/write/events.ts'
import { repositoryTables } from '../../../../feedgen/index/write/events.ts'
import { Recorder } from '../../../../feedgen/index/write/index-writer.ts'
import { temporaryFolder } from '../../../support/processes.ts'
import { rows } from '../../tables.ts'

const did = 'did:plc:cleaned'
const RECORDS = 1200
/** Every third is still there. */
const isKept = (i: number) => i % 3 === 0
const rkeyOf = (i: number) => String(i).padStart(6, '0')
const postAt = (i: number) => `at://${did}/app.bsky.feed.post/${rkeyOf(i)}`
const all = Array.from({ length: RECORDS }, (_, i) => i)

/** An index with a repository that jumped. */
async function stage() {
  const folder = temporaryFolder()
  const file = path.join(folder.path, 'index.sqlite')
  const store = openSqliteStore(file)
  onTestFinished(async () => {
    await store[Symbol.asyncDispose]()
    folder[Symbol.dispose]()
  })
  await migrate(store.db, 'sqlite')
  const steps: Steps = {}
  const recorder = new Recorder(withSteps(store, steps))
  const row = {
    record: new Uint8Array([1]),
    sort_at: 1,
    seen_at: 1,
    reply_root: null,
    reply_parent: null,
    quote: null,
  }
  const changes = all.flatMap((i): Change[] => [
    { table: 'posts', uri: postAt(i), row },
    { table: 'likes', uri: `at://${did}/app.bsky.feed.like/${rkeyOf(i)}`, row: { subject: postAt(i) } },
  ])
  await recorder.apply([{ kind: 'commit', did, rev: '1', data: 'one', changes }])
  await recorder.apply([{ kind: 'sync', did, rev: '2', data: 'two' }])
  await swept(recorder)
  const shown = () =>
    rows<{ rkey: string }>(file, 'select rkey from posts where present = 1 and unsure = 0 order by rkey').map(
      ({ rkey }) => Number(rkey),
    )
  const count = (table: string) =>
    rows(file, `select 1 from ${table} ${table === 'posts' ? 'where present = 1' : ''}`).length
  const account = () => rows(file, 'select rev, data, jumped from accounts where did = ?', did)[0]
  expect(shown()).toEqual([])
  return { recorder, steps, row, shown, count, account }
}

/** Has all steps done that deleted and desynchronized accounts need. */
async function swept(recorder: Recorder): Promise<void> {
  while (await recorder.sweep());
}

/**
 * What is done behind each transaction, by its number, but not behind those that it makes itself.
 */
interface Steps {
  after?: (step: number) => Promise<void> | void
}

const withSteps = (store: Store, steps: Steps): Store => {
  let number = 0
  return {
    db: store.db,
    async transaction(work) {
      const done = await store.transaction(work)
      const { after } = steps
      delete steps.after
      await after?.(++number)
      if (after) steps.after = after
      return done
    },
  }
}

const kept = all.filter(isKept)
const content = (): RepositoryContent => ({
  did,
  rev: '3',
  data: 'three',
  present: new Map(
    repositoryTables.map((table): [RepositoryTable, Set<string>] => [
      table,
      new Set(table === 'posts' || table === 'likes' ? kept.map(rkeyOf) : []),
    ]),
  ),
})

test('cleaning after a resync goes in small steps, and starts over when interrupted', async () => {
  const { recorder, steps, shown, count, account } = await stage()
  const left: number[] = []
  class Killed extends Error {}
  steps.after = (step) => {
    left.push(count('posts') + count('likes'))
    if (step === 2) throw new Killed()
  }
  await expect(recorder.clean(content())).rejects.toThrow(Killed)
  // The first pages of posts were looked through; their repository still counts as jumped.
  expect(shown()).toEqual(kept.filter((i) => i < 1000))
  expect(count('likes')).toBe(RECORDS)
  expect(account()).toEqual({ rev: '3', data: 'three', jumped: 1 })

  steps.after = () => void left.push(count('posts') + count('likes'))
  expect(await recorder.clean(content())).toBe('applied')
  expect(shown()).toEqual(kept)
  expect(count('likes')).toBe(kept.length)
  expect(account()).toEqual({ rev: '3', data: 'three', jumped: 0 })
  const removed = left.map((now, i) => (left[i - 1] ?? 2 * RECORDS) - now)
  expect(Math.max(...removed)).toBeLessThanOrEqual(500)
  // What stands behind it follows.
  const commit = { kind: 'commit', did, rev: '4', prevData: 'three', data: 'four', changes: [] } as const
  expect(await recorder.apply([{ ...commit, changes: [] }])).toEqual(['applied'])
})

test('cleaning after a resync lets events of other accounts in between, and older ones of its own are stale', async () => {
  const { recorder, steps, row, shown, account } = await stage()
  const outcomes: unknown[] = []
  steps.after = async (step) => {
    const other = `did:plc:other${step}`
    const gone: Change = { table: 'posts', uri: postAt(1), row }
    outcomes.push(
      await recorder.apply([
        { kind: 'commit', did: other, rev: '1', data: 'x', changes: [] },
        { kind: 'commit', did, rev: '21', prevData: 'two', data: 'y', changes: [gone] },
      ]),
    )
  }
  expect(await recorder.clean(content())).toBe('applied')
  expect(outcomes.length).toBeGreaterThan(repositoryTables.length)
  expect(new Set(outcomes.map(String))).toEqual(new Set(['applied,stale']))
  expect(shown()).toEqual(kept)
  expect(account()).toEqual({ rev: '3', data: 'three', jumped: 0 })
})

test('cleaning after a resync stops at a newer commit of the account, whose records stay', async () => {
  const { recorder, steps, row, shown, account } = await stage()
  const outcomes: unknown[] = []
  steps.after = async (step) => {
    if (step !== 1) return
    const back: Change = { table: 'posts', uri: postAt(1100), row }
    const commit = { kind: 'commit', did, rev: '4', prevData: 'three', data: 'four' } as const
    outcomes.push(await recorder.apply([{ ...commit, changes: [back] }]))
  }
  expect(await recorder.clean(content())).toBe('stale')
  expect(outcomes).toEqual([['applied']])
  expect(shown()).toContain(1100)
  expect(account()).toMatchObject({ rev: '4', jumped: 1 })
})

test('cleaning after a resync does not revive an account deleted meanwhile', async () => {
  const { recorder, steps, count } = await stage()
  steps.after = async (step) => {
    if (step === 2) await recorder.apply([{ kind: 'account', did, active: false, status: 'deleted' }])
  }
  expect(await recorder.clean(content())).toBe('deleted')
  await swept(recorder)
  expect([count('posts'), count('likes')]).toEqual([0, 0])
})
