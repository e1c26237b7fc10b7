import Database from 'better-sqlite3'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { DomainError } from '#platform/errors.ts'
import { TransactionLostError } from '#platform/sqlite.ts'
import { readCar } from '#protocol/car.ts'
import { type Cid, cidForCbor, cidToBytes } from '#protocol/cid.ts'
import { decodeCommit, verifyCommit } from '#protocol/commit.ts'
import { nodesOf } from '#protocol/mst/node.ts'
import { invertOps } from '#protocol/mst/tree.ts'
import { entries, nodes } from '#protocol/mst/walk.ts'
import { microsOfTid } from '#protocol/tid.ts'
import type { Write } from '../../../pds/repo/change.ts'
import { type RepoOwner, SwapMismatchError } from '../../../pds/repo/errors.ts'
import { prepareRecord } from '../../../pds/repo/prepare.ts'
import { WRITES_MAX } from '../../../pds/repo/write.ts'
import { seededRandom } from '../../support/random.ts'
import {
  COLLECTION,
  create,
  openRepos,
  put,
  type Repos,
  remove,
  testFolder,
  thing,
  update,
} from './support.ts'

/** All that the file holds, so that "nothing was written" can be seen. */
function contents(file: string): unknown {
  const db = new Database(file, { readonly: true })
  try {
    return ['repo', 'node', 'record', 'record_blob', 'event', 'retired_block'].map((table) =>
      db.prepare(`SELECT * FROM ${table} ORDER BY 1, 2, 3`).all(),
    )
  } finally {
    db.close()
  }
}

/** Changes the file behind the store's back. */
function damage(file: string, sql: string): void {
  const db = new Database(file)
  try {
    db.exec(sql)
  } finally {
    db.close()
  }
}

/**
 * The records by the tree and by the table, which must agree; and the tree's nodes are those that
 * are stored.
 */
function assertConsistent({ file, store }: Repos, owner: RepoOwner): string[] {
  const head = store.repos.head(owner.id)!
  const db = new Database(file, { readonly: true })
  try {
    const stored = new Map(
      db
        .prepare<[number], { cid: Buffer; block: Buffer }>('SELECT cid, block FROM node WHERE repo = ?')
        .all(owner.id)
        .map(({ cid, block }) => [cid.toString('latin1') as Cid, block]),
    )
    const source = nodesOf(stored)
    const reached = [...nodes(source, head.data)].map(({ cid }) => cid)
    expect([...stored.keys()].sort(), 'the nodes in the table are those of the tree').toEqual(reached.sort())
    const rows = db
      .prepare<[number], { path: string; cid: Buffer; block: Buffer }>(
        `SELECT collection || '/' || rkey AS path, cid, block FROM record WHERE repo = ? ORDER BY 1`,
      )
      .all(owner.id)
    const tree = [...entries(source, head.data)].map(({ key, value }) => ({ key, value }))
    expect(tree).toEqual(rows.map(({ path, cid }) => ({ key: path, value: cid.toString('latin1') })))
    for (const { cid, block } of rows) expect(cidToBytes(cidForCbor(block)).equals(cid)).toBe(true)
    return tree.map(({ key }) => key)
  } finally {
    db.close()
  }
}

describe('a repository', () => {
  it('begins empty, with an identity, an account, a commit and a sync', async () => {
    const repos = openRepos()
    const owner = await repos.createRepo()
    expect(assertConsistent(repos, owner)).toEqual([])
    const [commit] = repos.commits(owner.did)
    expect(commit).toMatchObject({ seq: 3, since: null, ops: [], blobs: [] })
    expect(commit?.prevData).toBeUndefined()
    expect(commit?.commit).toBe(repos.store.repos.head(owner.id)?.commit)
  })

  it('takes writes, and each commit is signed and undone over its own blocks', async () => {
    const repos = openRepos()
    const owner = await repos.createRepo()
    const results = [
      await repos.writer.write(owner, [create('a'), create('b')]),
      await repos.writer.write(owner, [update('a', 'new'), remove('b'), create('c')]),
      await repos.writer.write(owner, [put('c', 'new'), put('d', 'd')]),
    ]
    expect(assertConsistent(repos, owner)).toEqual(['a', 'c', 'd'].map((rkey) => `${COLLECTION}/${rkey}`))
    const commits = repos.commits(owner.did)
    expect(commits.slice(1).map(({ commit: cid, rev }) => ({ cid, rev }))).toEqual(results)
    expect(commits.map(({ ops }) => ops.map(({ action }) => action))).toEqual([
      [],
      ['create', 'create'],
      ['update', 'delete', 'create'],
      ['update', 'create'],
    ])
    for (const event of commits) {
      const { blocks } = readCar(event.blocks)
      const commit = decodeCommit(blocks.get(event.commit)!)
      expect(verifyCommit(commit, owner.key.did)).toBe(true)
      const ops = event.ops.map(({ path, cid, prev }) => ({ key: path, value: cid, prev: prev ?? null }))
      if (event.prevData !== undefined) {
        expect(invertOps(nodesOf(blocks), commit.data, ops)).toBe(event.prevData)
      }
      for (const { cid } of event.ops) if (cid !== null) expect(blocks.has(cid)).toBe(true)
    }
  })

  it('stays whole through a random history', async () => {
    const repos = openRepos()
    const owner = await repos.createRepo()
    const random = seededRandom(3)
    const present = new Map<string, string>()
    for (let n = 0; n < 150; n++) {
      const writes: Write[] = []
      for (let left = 1 + random.below(12); left > 0; left--) {
        const rkey = `k${random.below(200)}`
        const known = present.has(rkey)
        switch (random.below(known ? 3 : 2)) {
          case 0:
            writes.push(known ? update(rkey, `${n}`) : create(rkey, `${n}`))
            present.set(rkey, `${n}`)
            break
          case 1:
            writes.push(put(rkey, `${n}`))
            present.set(rkey, `${n}`)
            break
          default:
            writes.push(remove(rkey))
            present.delete(rkey)
        }
      }
      await repos.writer.write(owner, writes)
    }
    const keys = [...present.keys()].map((rkey) => `${COLLECTION}/${rkey}`).sort()
    expect(assertConsistent(repos, owner)).toEqual(keys)
    for (const [rkey, text] of present) {
      const record = repos.reader.record(owner, { collection: COLLECTION, rkey })
      expect(record?.block.equals(thing(rkey, text).block)).toBe(true)
    }
  })

  it('goes on after a restart', async () => {
    const folder = testFolder()
    const before = openRepos(folder)
    const owner = await before.createRepo()
    await before.writer.write(owner, [create('a'), create('b')])
    before.close()
    const after = openRepos(folder)
    await after.writer.write(owner, [remove('a'), create('c')])
    expect(assertConsistent(after, owner)).toHaveLength(2)
    const [, , last] = after.commits(owner.did)
    const { blocks } = readCar(last!.blocks)
    expect(verifyCommit(decodeCommit(blocks.get(last!.commit)!), owner.key.did)).toBe(true)
  })

  it('has revisions that rise although the clock does not', async () => {
    const repos = openRepos()
    const owner = await repos.createRepo()
    const [first] = [await repos.writer.write(owner, [create('a')])]
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 3_600_000 })
    onTestFinished(() => {
      vi.useRealTimers()
    })
    const second = await repos.writer.write(owner, [create('b')])
    expect(second!.rev > first!.rev).toBe(true)
    expect(microsOfTid(second!.rev)).toBeGreaterThanOrEqual(microsOfTid(first!.rev))
  })
})

describe('a write that cannot be', () => {
  const blobRecord = prepareRecord({
    collection: COLLECTION,
    rkey: 'blob',
    record: { text: 'x' },
  })
  const withBlob = (mimeType: string, size: number, cid = cidForCbor(Buffer.from('blob'))): Write => ({
    action: 'create',
    record: { ...blobRecord, blobs: [{ cid, mimeType, size }] },
  })

  const SWAPPED = { kind: 'conflict', code: 'InvalidSwap' } as const

  it.each<[string, Write[], Partial<DomainError>]>([
    ['a create of what is there', [create('there')], { kind: 'conflict' }],
    ['an update of what is not', [update('absent', 'x')], { kind: 'notFound' }],
    ['a delete of what is not', [remove('absent')], { kind: 'notFound' }],
    ['a put over another record', [put('there', 'x', thing('there', 'other').cid)], SWAPPED],
    ['a put where there should be none', [put('there', 'x', null)], SWAPPED],
    ['a put where there should be one', [put('absent', 'x', thing('there', 'there').cid)], SWAPPED],
    [
      'a delete of another record',
      [{ ...remove('there'), swapRecord: thing('there', 'other').cid } as Write],
      SWAPPED,
    ],
    [
      'too many writes',
      Array.from({ length: WRITES_MAX + 1 }, (_, n) => create(`k${n}`)),
      { kind: 'invalid', message: expect.stringMatching(/^Too many writes/) },
    ],
    [
      'too large writes',
      Array.from({ length: 3 }, (_, n) => create(`k${n}`, `${n}`.repeat(700_000))),
      { kind: 'invalid', message: expect.stringMatching(/^Too many writes/) },
    ],
    ['a blob that is not there', [withBlob('image/png', 3)], { kind: 'invalid', code: 'BlobNotFound' }],
  ])('leaves no trace: %s', async (_, writes, error) => {
    const repos = openRepos()
    const owner = await repos.createRepo()
    await repos.writer.write(owner, [create('there'), create('more')])
    const before = contents(repos.file)
    await expect(repos.writer.write(owner, [create('new'), remove('more'), ...writes])).rejects.toMatchObject(
      error,
    )
    expect(contents(repos.file)).toEqual(before)
    await repos.writer.write(owner, [create('next')])
    expect(assertConsistent(repos, owner)).toHaveLength(3)
  })

  it('says where the repository is when a swap misses', async () => {
    const repos = openRepos()
    const owner = await repos.createRepo()
    const first = await repos.writer.write(owner, [create('a')])
    const second = await repos.writer.write(owner, [create('b')], first!.cid)
    const error = await repos.writer.write(owner, [create('c')], first!.cid).catch((error) => error)
    expect(error).toBeInstanceOf(SwapMismatchError)
    expect(error.actual).toBe(second!.cid)
  })

  it('is refused where there is no repository', async () => {
    const { writer } = openRepos()
    await expect(writer.write({ id: 9, did: 'did:plc:nobody' }, [create('a')])).rejects.toMatchObject({
      code: 'RepoNotFound',
    })
  })

  it('or that changes nothing makes no commit', async () => {
    const repos = openRepos()
    const owner = await repos.createRepo()
    await repos.writer.write(owner, [create('a')])
    const before = contents(repos.file)
    expect(await repos.writer.write(owner, [put('a', 'a')])).toBeNull()
    expect(await repos.writer.write(owner, [{ ...remove('absent'), ifThere: true } as Write])).toBeNull()
    expect(contents(repos.file)).toEqual(before)
  })
})

describe('writes that come together', () => {
  it('fail alone', async () => {
    const repos = openRepos()
    const [alice, bob] = [await repos.createRepo('alice'), await repos.createRepo('bob')]
    const head = repos.store.repos.head(alice.id)!.commit
    const settled = await Promise.allSettled([
      repos.writer.write(alice, [create('a')], head),
      repos.writer.write(alice, [create('b')], head),
      repos.writer.write(bob, [create('a')]),
      repos.writer.write(bob, [create('b'), remove('absent')]),
      repos.writer.write(alice, [create('c')]),
    ])
    expect(settled.map(({ status }) => status[0]).join('')).toBe('frfrf')
    expect(assertConsistent(repos, alice)).toEqual(['a', 'c'].map((rkey) => `${COLLECTION}/${rkey}`))
    expect(assertConsistent(repos, bob)).toEqual([`${COLLECTION}/a`])
    const chain = repos.commits(alice.did)
    for (const [n, { since }] of chain.entries()) expect(since).toBe(n === 0 ? null : chain[n - 1]!.rev)
  })

  it('are stored with their event, or not at all', async () => {
    const repos = openRepos()
    const owner = await repos.createRepo()
    const before = contents(repos.file)
    vi.spyOn(repos.store.events, 'append').mockImplementationOnce(() => {
      throw new Error('no room for the event')
    })
    await expect(repos.writer.write(owner, [create('a')])).rejects.toThrow('no room')
    expect(contents(repos.file)).toEqual(before)
    await repos.writer.write(owner, [create('b')])
    expect(assertConsistent(repos, owner)).toEqual([`${COLLECTION}/b`])
  })

  it('are done again by their callers when SQLite ended their transaction, and find the repository as it was', async () => {
    const repos = openRepos()
    const owner = await repos.createRepo()
    const before = contents(repos.file)
    const endTransaction = repos.store.db.prepare((q) =>
      q
        .insertInto('repo')
        .orRollback()
        .columns(['account', 'commit', 'rev', 'data', 'commitBlock'])
        .expression(q.selectFrom('repo').select(['account', 'commit', 'rev', 'data', 'commitBlock'])),
    )
    const settled = await Promise.allSettled([
      repos.writer.write(owner, [create('a'), create('b')]),
      repos.store.db.write(() => {
        endTransaction.run({})
      }),
    ])
    for (const one of settled) {
      expect(one).toMatchObject({ status: 'rejected', reason: expect.any(TransactionLostError) })
    }
    expect(contents(repos.file)).toEqual(before)
    await repos.writer.write(owner, [create('a'), create('b')])
    expect(assertConsistent(repos, owner)).toHaveLength(2)
  })
})

describe('a store that is damaged', () => {
  it.each([
    ['a tree node that is not what its name says', `UPDATE node SET block = x'a2616580616cf6'`],
    ['a tree node that is gone', 'DELETE FROM node'],
  ])('stops the write: %s', async (_, sql) => {
    const folder = testFolder()
    const repos = openRepos(folder)
    const owner = await repos.createRepo()
    await repos.writer.write(owner, [create('a')])
    repos.close()
    damage(repos.file, sql)
    const again = openRepos(folder)
    const before = contents(again.file)
    await expect(again.writer.write(owner, [create('b')])).rejects.toThrow()
    expect(contents(again.file)).toEqual(before)
  })

  it('is noticed when a node that is replaced is not there', async () => {
    const repos = openRepos()
    const owner = await repos.createRepo()
    await repos.writer.write(owner, [create('a')])
    // The cache still has it.
    damage(repos.file, 'DELETE FROM node')
    await expect(repos.writer.write(owner, [update('a', 'x')])).rejects.toThrow('was not in the store')
  })

  it('is noticed when a record is in the table and not in the tree', async () => {
    const repos = openRepos()
    const owner = await repos.createRepo()
    await repos.writer.write(owner, [create('a')])
    damage(repos.file, `UPDATE record SET rkey = 'b'`)
    await expect(repos.writer.write(owner, [update('b', 'x')])).rejects.toThrow()
    await expect(repos.writer.write(owner, [create('a', 'x')])).rejects.toThrow()
  })
})
