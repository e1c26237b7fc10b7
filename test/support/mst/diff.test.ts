import { expect, test } from 'vitest'
import type { Cid } from '#protocol/cid.ts'
import { EMPTY_ROOT } from '#protocol/mst/node.ts'
import { netOps } from '#protocol/mst/ops.ts'
import { applyOps } from '#protocol/mst/tree.ts'
import { creates, randomOps, randomPairs, Store, slowTree, sortedPairs } from '../../protocol/mst/support.ts'
import { seededRandom } from '../random.ts'
import { buildTree } from './build.ts'
import { diffTrees } from './diff.ts'

test('the diff of two trees has the ops, the blocks and the nodes between them', () => {
  for (let seed = 1; seed <= 150; seed++) {
    const random = seededRandom(seed)
    const pairs = randomPairs(random, random.below(random.pick([3, 30, 600])))
    const held = new Map(pairs.map(({ key, value }) => [key, value]))
    const { ops, after } = randomOps(random, held, random.pick([1, 3, 30, 300]))
    const [from, to] = [slowTree(pairs), slowTree(sortedPairs(after))]
    const store = Store.of([...from.blocks, ...to.blocks])
    const diff = diffTrees(store, from.root, to.root)
    expect(diff.ops).toEqual(netOps(ops))
    expect([...diff.created.keys()].sort()).toEqual(
      [...to.blocks.keys()].filter((cid) => !from.blocks.has(cid)).sort(),
    )
    expect([...diff.removed].sort()).toEqual(
      [...from.blocks.keys()].filter((cid) => !to.blocks.has(cid)).sort(),
    )
    for (const [cid, block] of diff.created) expect(block).toEqual(to.blocks.get(cid))
    const applied = applyOps(store, from.root, ops)
    expect(applied.created).toEqual(diff.created)
    expect(new Set(applied.removed)).toEqual(new Set(diff.removed))
  }
})

test('a diff from no tree removes nothing; one from the empty tree removes its node', () => {
  const pairs = randomPairs(seededRandom(1), 100)
  const { root, blocks } = slowTree(pairs)
  const store = Store.of(blocks)
  expect(diffTrees(store, null, root)).toEqual({ ops: creates(pairs), created: blocks, removed: [] })
  expect(diffTrees(store, EMPTY_ROOT, root)).toEqual({
    ops: creates(pairs),
    created: blocks,
    removed: [EMPTY_ROOT],
  })
  expect(diffTrees(store, root, EMPTY_ROOT).removed.toSorted()).toEqual([...blocks.keys()].sort())
  expect(diffTrees(store, root, root)).toEqual({ ops: [], created: new Map(), removed: [] })
})

test('a diff does not load equal subtrees', () => {
  const random = seededRandom(2)
  const pairs = randomPairs(random, 20_000)
  const store = Store.of(buildTree(pairs))
  const root = [...buildTree(pairs)].at(-1)?.[0] as Cid
  const held = new Map(pairs.map(({ key, value }) => [key, value]))
  for (let i = 0; i < 50; i++) {
    const { ops } = randomOps(random, held, 1)
    const applied = applyOps(store, root, ops)
    const both = Store.of([...store.blocks, ...applied.created])
    expect(diffTrees(both, root, applied.root).ops).toEqual(netOps(ops))
    // Both roots twice, the nodes that differ, and at most a way down beside the op's key in each
    // tree.
    expect(both.loads.length).toBeLessThan(applied.created.size + applied.removed.length + 30)
  }
})
