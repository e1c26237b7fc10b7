import { verifyRepoCar } from '@atproto/repo'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { readCar } from '#protocol/car.ts'
import type { Cid } from '#protocol/cid.ts'
import { decodeCommit } from '#protocol/commit.ts'
import { nodesOf } from '#protocol/mst/node.ts'
import { entries } from '#protocol/mst/walk.ts'
import type { Write } from '../../../pds/repo/change.ts'
import { seededRandom } from '../../support/random.ts'
import { create, openRepos, type Repos, remove, update } from './support.ts'

/** Rows that wait for exports to end. */
function retiredBlocks({ file }: Repos): number {
  const db = new Database(file, { readonly: true })
  try {
    return db.prepare<[], number>('SELECT count(*) FROM retired_block').pluck().get() as number
  } finally {
    db.close()
  }
}

const RECORDS = 400
const keyAt = (n: number) => `k${String(n).padStart(4, '0')}`
/** Large enough for an export of many pages. */
const text = (n: number, word: string) => `${word} ${n} `.repeat(800)

/** A repository of some megabytes. */
async function largeRepo() {
  const repos = openRepos()
  const owner = await repos.createRepo()
  for (let from = 0; from < RECORDS; from += 50) {
    const writes = Array.from({ length: 50 }, (_, n) => create(keyAt(from + n), text(from + n, 'old')))
    await repos.writer.write(owner, writes)
  }
  return { repos, owner }
}

/** What a CAR's commit says is in the repository. */
async function recordsIn(car: Buffer, did: string, key: string): Promise<Map<string, Cid>> {
  const verified = await verifyRepoCar(car, did, key)
  const { roots, blocks } = readCar(car)
  const { data } = decodeCommit(blocks.get(roots[0] as Cid) as Uint8Array)
  const found = new Map<string, Cid>()
  for (const { key, value } of entries(nodesOf(blocks), data)) {
    expect(blocks.has(value)).toBe(true)
    found.set(key, value)
  }
  expect(verified.creates).toHaveLength(found.size)
  return found
}

describe('an export', () => {
  it('shows the repository as it was, however slowly it is read and whatever is written meanwhile', async () => {
    const { repos, owner } = await largeRepo()
    const { did, key } = owner
    const head = repos.store.repos.head(owner.id)?.commit
    const before = await recordsIn(
      Buffer.concat(await Array.fromAsync(repos.exports.car(owner))),
      did,
      key.did,
    )
    expect(before.size).toBe(RECORDS)

    const random = seededRandom(1)
    const present = new Set(Array.from({ length: RECORDS }, (_, n) => keyAt(n)))
    const replaceSome = async () => {
      const writes: Write[] = []
      for (const n of new Set(Array.from({ length: 40 }, () => random.below(RECORDS)))) {
        const rkey = keyAt(n)
        if (!present.has(rkey)) {
          // Also as it was: the same block and, with luck, the same nodes come back under a newer
          // revision.
          writes.push(create(rkey, text(n, random.below(2) === 0 ? 'old' : 'again')))
          present.add(rkey)
        } else if (random.below(2) === 0) writes.push(update(rkey, text(n, `new ${random.below(3)}`)))
        else {
          writes.push(remove(rkey))
          present.delete(rkey)
        }
      }
      await repos.writer.write(owner, writes)
    }
    const chunks: Buffer[] = []
    for await (const chunk of repos.exports.car(owner)) {
      chunks.push(chunk)
      for (let n = 0; n < 20; n++) await replaceSome()
    }
    expect(chunks.length).toBeGreaterThan(4)
    const car = Buffer.concat(chunks)
    expect(readCar(car).roots).toEqual([head])
    expect(await recordsIn(car, did, key.did)).toEqual(before)
    expect(retiredBlocks(repos)).toBe(0)

    const after = await recordsIn(
      Buffer.concat(await Array.fromAsync(repos.exports.car(owner))),
      did,
      key.did,
    )
    expect([...after.keys()].map((path) => path.split('/')[1]).sort()).toEqual([...present].sort())
  })

  it('keeps what it needs until the last one has ended', async () => {
    const { repos, owner } = await largeRepo()
    const first = repos.exports.car(owner)
    const chunks = [(await first.next()).value as Buffer]
    await repos.writer.write(owner, [update(keyAt(0), 'changed')])
    const kept = retiredBlocks(repos)
    expect(kept).toBeGreaterThan(1)
    const second = repos.exports.car(owner)
    await second.next()
    await second.return(undefined)
    expect(retiredBlocks(repos), 'the first one still needs them').toBe(kept)
    for await (const chunk of first) chunks.push(chunk)
    expect((await recordsIn(Buffer.concat(chunks), owner.did, owner.key.did)).size).toBe(RECORDS)
    expect(retiredBlocks(repos)).toBe(0)
  })

  it('leaves nothing behind when its client breaks off', async () => {
    const { repos, owner } = await largeRepo()
    for await (const _ of repos.exports.car(owner)) {
      await repos.writer.write(owner, [update(keyAt(0), 'changed')])
      expect(retiredBlocks(repos)).toBeGreaterThan(0)
      break
    }
    expect(retiredBlocks(repos)).toBe(0)
    await repos.writer.write(owner, [update(keyAt(1), 'changed')])
    expect(retiredBlocks(repos), 'nothing is kept for nobody').toBe(0)
  })

  it('keeps nothing of other repositories', async () => {
    const { repos, owner } = await largeRepo()
    const other = await repos.createRepo('bob')
    for await (const _ of repos.exports.car(owner)) {
      await repos.writer.write(other, [create('a'), create('b')])
      await repos.writer.write(other, [remove('a')])
      break
    }
    expect(retiredBlocks(repos)).toBe(0)
  })

  it('since a revision has what is newer, and the commit', async () => {
    const { repos, owner } = await largeRepo()
    const rev = repos.store.repos.head(owner.id)?.rev
    await repos.writer.write(owner, [update(keyAt(7), 'changed')])
    const head = repos.store.repos.head(owner.id)
    const car = readCar(Buffer.concat(await Array.fromAsync(repos.exports.car(owner, rev))))
    expect(car.roots).toEqual([head?.commit])
    expect(car.blocks.has(head?.commit as Cid) && car.blocks.has(head?.data as Cid)).toBe(true)
    expect(car.blocks.size).toBeLessThan(8)
    const nothing = readCar(Buffer.concat(await Array.fromAsync(repos.exports.car(owner, head?.rev))))
    expect(nothing.roots).toEqual([head?.commit])
    expect(nothing.blocks.size).toBe(0)
  })

  it('of no repository fails at once', async () => {
    const { exports } = openRepos()
    await expect(exports.car({ id: 1, did: 'did:plc:nobody' }).next()).rejects.toMatchObject({
      code: 'RepoNotFound',
    })
    expect(exports.isRunning(1)).toBe(false)
  })
})
