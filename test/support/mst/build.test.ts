import { expect, test } from 'vitest'
import type { Cid } from '#protocol/cid.ts'
import { InvalidKeyError } from '#protocol/mst/key.ts'
import { EMPTY_ROOT, InvalidNodeError, nodesOf } from '#protocol/mst/node.ts'
import { applyOps, getValue, invertOps } from '#protocol/mst/tree.ts'
import { creates, type Pair, randomPairs, recordCid, Store, slowTree } from '../../protocol/mst/support.ts'
import { seededRandom } from '../random.ts'
import { buildTree } from './build.ts'

/** All that the builder gives. */
function built(pairs: Iterable<Pair>): { root: Cid; blocks: [Cid, Buffer][] } {
  const building = buildTree(pairs)
  const blocks: [Cid, Buffer][] = []
  for (;;) {
    const step = building.next()
    if (step.done) return { root: step.value, blocks }
    blocks.push(step.value)
  }
}

test('a built tree equals the one that inserting its keys gives', () => {
  const random = seededRandom(1)
  for (let i = 0; i < 300; i++) {
    const pairs = randomPairs(random, random.below(random.pick([4, 40, 400])))
    const { root, blocks } = built(pairs)
    const wanted = slowTree(pairs)
    expect(root).toBe(wanted.root)
    expect(new Map(blocks)).toEqual(wanted.blocks)
    expect(applyOps(new Store(), EMPTY_ROOT, creates(pairs)).root).toBe(root)
  }
})

test('building emits each node once, after those below it, the root last', () => {
  const { root, blocks } = built(randomPairs(seededRandom(2), 2000))
  expect(blocks.at(-1)?.[0]).toBe(root)
  expect(new Set(blocks.map(([cid]) => cid)).size).toBe(blocks.length)
  const store = Store.of(blocks)
  const seen = new Set<Cid>()
  for (const [cid] of blocks) {
    const { left, entries } = store.node(cid)
    for (const child of [left, ...entries.map(({ right }) => right)])
      expect(child === null || seen.has(child)).toBe(true)
    seen.add(cid)
  }
})

test('building without entries gives the empty tree', () => {
  expect(built([]).root).toBe(EMPTY_ROOT)
})

test('building refuses keys that do not ascend and invalid keys', () => {
  const [a, b] = randomPairs(seededRandom(3), 2) as [Pair, Pair]
  expect(() => built([b, a])).toThrow(InvalidNodeError)
  expect(() => built([a, a])).toThrow(InvalidNodeError)
  expect(() => built([a, { ...b, key: 'x' }])).toThrow(InvalidKeyError)
})

test('a million keys become a tree that answers and can be changed', { timeout: 60_000 }, () => {
  const count = 1_000_000
  const value = recordCid('any')
  const key = (i: number) => `app.bsky.feed.post/${String(i).padStart(13, '0')}`
  function* pairs() {
    for (let i = 0; i < count; i++) yield { key: key(i), value }
  }
  const { root, blocks } = built(pairs())
  const store = nodesOf(new Map(blocks))
  const random = seededRandom(4)
  for (let i = 0; i < 1000; i++) expect(getValue(store, root, key(random.below(count)))).toBe(value)
  expect(getValue(store, root, key(count))).toBe(null)

  const ops = [{ key: key(count), value, prev: null }]
  const applied = applyOps(store, root, ops)
  expect(applied.created.size + applied.proof.size).toBeLessThan(40)
  expect(invertOps(nodesOf(new Map([...applied.created, ...applied.proof])), applied.root, ops)).toBe(root)
})
