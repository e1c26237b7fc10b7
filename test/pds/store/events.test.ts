import Database from 'better-sqlite3'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { TransactionLostError } from '#platform/sqlite.ts'
import { decodeFrame } from '#protocol/frame.ts'
import { Firehose } from '../../../pds/firehose/firehose.ts'
import { create, openRepos, type Repos, testFolder } from '../repo/support.ts'

const event = { kind: 'identity', did: 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa', handle: 'a.test' } as const

const append = ({ store, firehose }: Repos) => store.db.write((tx) => firehose.append(tx, 1, event))
const seqs = ({ store }: Repos) =>
  store.events.page(0, Number.MAX_SAFE_INTEGER, 1000, 1 << 30).map(({ seq }) => seq)

function sql(file: string, text: string): void {
  const db = new Database(file)
  try {
    db.exec(text)
  } finally {
    db.close()
  }
}

describe('the number of an event', () => {
  it('is not given again after its transaction failed', async () => {
    const repos = openRepos()
    await append(repos)
    const failed = repos.store.db.write((tx) => {
      repos.firehose.append(tx, 1, event)
      throw new Error('no')
    })
    await expect(failed).rejects.toThrow('no')
    expect(repos.firehose.tip()).toBe(1)
    await append(repos)
    expect(seqs(repos)).toEqual([1, 3])
    expect(repos.firehose.tip()).toBe(3)
    const frames = repos.store.events.page(0, 100, 10, 1 << 20).map(({ frame }) => decodeFrame(frame))
    expect(frames).toMatchObject([{ seq: 1 }, { seq: 3 }])
  })

  it('is not given again after its group was lost', async () => {
    const repos = openRepos()
    const end = repos.store.db.prepare((q) =>
      q
        .insertInto('event')
        .orRollback()
        .values({ seq: 1, account: 1, time: '', frame: Buffer.alloc(0) }),
    )
    await append(repos)
    const lost = repos.store.db.write((tx) => {
      repos.firehose.append(tx, 1, event)
      end.run({})
    })
    await expect(lost).rejects.toThrow(TransactionLostError)
    await append(repos)
    expect(seqs(repos)).toEqual([1, 3])
  })

  it('is not given again when the last events were deleted, nor after a restart', async () => {
    const folder = testFolder()
    const before = openRepos(folder)
    for (let n = 0; n < 5; n++) await append(before)
    sql(before.file, 'DELETE FROM event WHERE seq > 2')
    await append(before)
    expect(seqs(before)).toEqual([1, 2, 6])
    sql(before.file, 'DELETE FROM event')
    before.close()
    const after = openRepos(folder)
    expect(after.firehose.tip()).toBe(6)
    await append(after)
    expect(seqs(after)).toEqual([7])
  })

  it('rises in the order of the commits', async () => {
    const repos = openRepos()
    const owners = [await repos.createRepo('alice'), await repos.createRepo('bob')]
    await Promise.all(
      Array.from({ length: 40 }, (_, n) => repos.writer.write(owners[n % 2]!, [create(`k${n}`)])),
    )
    for (const { did } of owners) {
      const commits = repos.commits(did)
      expect(commits).toHaveLength(21)
      for (const [n, { since }] of commits.entries()) expect(since).toBe(commits[n - 1]?.rev ?? null)
    }
    expect(seqs(repos)).toEqual(Array.from({ length: 48 }, (_, n) => n + 1))
  })
})

describe('a page', () => {
  it('ends with its limit of events or bytes, and at the last durable event', async () => {
    const { store, firehose, ...repos } = openRepos()
    for (let n = 0; n < 10; n++) await append({ store, firehose, ...repos })
    const bytes = store.events.page(0, 10, 1, 1)[0]!.frame.length
    const page = (...args: [number, number, number, number]) =>
      store.events.page(...args).map(({ seq }) => seq)
    expect(page(0, 10, 3, 1 << 20)).toEqual([1, 2, 3])
    expect(page(7, 10, 30, 1 << 20)).toEqual([8, 9, 10])
    expect(page(0, 10, 30, bytes + 1)).toEqual([1, 2])
    expect(page(0, 10, 30, 1), 'at least one').toEqual([1])
    expect(page(0, 4, 30, 1 << 20)).toEqual([1, 2, 3, 4])
    expect(page(10, 10, 30, 1 << 20)).toEqual([])
    expect(firehose.pageAfter(10)).toBeUndefined()
  })

  it('is found by time', async () => {
    onTestFinished(() => {
      vi.useRealTimers()
    })
    const repos = openRepos()
    const at = (n: number) => new Date(Date.UTC(2026, 0, 1, 0, n)).toISOString()
    for (let n = 0; n < 10; n++) {
      vi.useFakeTimers({ toFake: ['Date'], now: new Date(at(n)) })
      await append(repos)
    }
    // Events that are gone (a deleted account's) are no obstacle.
    sql(repos.file, 'DELETE FROM event WHERE seq IN (1, 4, 5)')
    const firehose = new Firehose(repos.store.events)
    for (let n = 0; n < 10; n++) {
      const next = repos.store.events.firstAfter(firehose.cursorAt(at(n)))
      expect(next?.time).toBe(at(n === 0 ? 1 : n === 3 || n === 4 ? 5 : n))
    }
    expect(firehose.cursorAt(at(20))).toBe(10)
    expect(firehose.isOlder(0, at(2))).toBe(true)
    expect(firehose.isOlder(0, at(1))).toBe(false)
    expect(firehose.isOlder(10, at(20)), 'there is nothing to be old').toBe(false)
  })
})
