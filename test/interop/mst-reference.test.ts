/** The tree against the one of `@atproto/repo`, on random histories. */
import { BlockMap, DataDiff, MemoryBlockstore, MST } from '@atproto/repo'
import { expect, test } from 'vitest'
import { type Cid, cidToLink, linkToCid } from '#protocol/cid.ts'
import { EMPTY_ROOT, nodesOf } from '#protocol/mst/node.ts'
import { pathTo } from '#protocol/mst/proof.ts'
import { applyOps, invertOps } from '#protocol/mst/tree.ts'
import { randomKey, randomOps, Store } from '../protocol/mst/support.ts'
import { diffTrees } from '../support/mst/diff.ts'
import { seededRandom } from '../support/random.ts'

const theirs = (cid: Cid) => cidToLink(cid)
const ours = (blocks: BlockMap): Map<Cid, Uint8Array> =>
  new Map(Array.from(blocks, ([cid, bytes]) => [linkToCid(cid), Buffer.from(bytes)]))
const sorted = (cids: Iterable<Cid>) => [...cids].sort()
const mapOf = (blocks: Iterable<[Cid, Uint8Array]>) =>
  new BlockMap(Array.from(blocks, ([cid, block]) => [theirs(cid), block] as const))

test('the same roots, blocks, removed nodes and covering proofs', async () => {
  for (let seed = 1; seed <= 12; seed++) {
    const random = seededRandom(seed)
    const store = new Store()
    const storage = new MemoryBlockstore()
    let root = EMPTY_ROOT
    let held = new Map<string, Cid>()
    let tree = await MST.create(storage)
    await storage.putMany((await tree.getUnstoredBlocks()).blocks)
    for (let step = 0; step < 20; step++) {
      const { ops, after } = randomOps(random, held, random.pick([1, 1, 2, 10, 30]))
      const applied = applyOps(store, root, ops)

      let next = MST.load(storage, theirs(root))
      for (const { key, value, prev } of ops) {
        if (value === null) next = await next.delete(key)
        else next = prev === null ? await next.add(key, theirs(value)) : await next.update(key, theirs(value))
      }
      expect(linkToCid(await next.getPointer())).toBe(applied.root)

      const diff = await DataDiff.of(next, MST.load(storage, theirs(root)))
      expect(ours(diff.newMstBlocks)).toEqual(applied.created)
      const values = new Set(held.values())
      const removed = diff.removedCids.toList().map(linkToCid)
      expect(sorted(removed.filter((cid) => !values.has(cid)))).toEqual(sorted(applied.removed))

      const covering = new BlockMap()
      for (const { key } of ops) covering.addMap(await next.getCoveringProof(key))
      expect(ours(covering)).toEqual(new Map([...applied.proof, ...applied.created]))
      expect(invertOps(nodesOf(ours(covering)), applied.root, ops)).toBe(root)

      await storage.putMany((await next.getUnstoredBlocks()).blocks)
      store.take(applied)
      expect(diffTrees(nodesOf(ours(storage.blocks)), root, applied.root).created).toEqual(applied.created)
      root = applied.root
      held = after
      tree = next
    }
    expect((await tree.leaves()).map(({ key }) => key)).toEqual([...held.keys()].sort())
  }
})

test('@atproto/repo reads our proofs', async () => {
  const random = seededRandom(99)
  const store = new Store()
  const { ops, after } = randomOps(random, new Map(), 400)
  const { root, created } = applyOps(store, EMPTY_ROOT, ops)
  const source = nodesOf(created)
  for (const [key, value] of after) {
    const proof = new MemoryBlockstore(mapOf(pathTo(source, root, key)))
    expect(linkToCid((await MST.load(proof, theirs(root)).get(key)) as never)).toBe(value)
  }
  for (let i = 0; i < 100; i++) {
    const key = randomKey(random)
    const proof = new MemoryBlockstore(mapOf(pathTo(source, root, key)))
    expect(await MST.load(proof, theirs(root)).get(key)).toBe(null)
  }
})
