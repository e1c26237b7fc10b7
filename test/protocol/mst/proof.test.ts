import { expect, test } from 'vitest'
import type { Cid } from '#protocol/cid.ts'
import { EMPTY_ROOT, InvalidNodeError, MissingNodeError, nodesOf } from '#protocol/mst/node.ts'
import { pathTo } from '#protocol/mst/proof.ts'
import { getValue } from '#protocol/mst/tree.ts'
import { buildTree } from '../../support/mst/build.ts'
import { seededRandom } from '../../support/random.ts'
import { randomKey, randomPairs, Store } from './support.ts'

const random = seededRandom(1)
const pairs = randomPairs(random, 1000)
const store = Store.of(buildTree(pairs))
const root = [...buildTree(pairs)].at(-1)?.[0] as Cid

test('an MST proof of a key shows its value', () => {
  for (const { key, value } of pairs) {
    const proof = pathTo(store, root, key)
    expect(getValue(nodesOf(proof), root, key)).toBe(value)
    for (const [cid, block] of proof) expect(block).toEqual(store.blocks.get(cid))
  }
})

test('an MST proof of an absent key shows that it is absent', () => {
  for (let i = 0; i < 500; i++) {
    const key = randomKey(random)
    expect(getValue(nodesOf(pathTo(store, root, key)), root, key)).toBe(null)
  }
  expect(getValue(nodesOf(pathTo(store, EMPTY_ROOT, 'a/b')), EMPTY_ROOT, 'a/b')).toBe(null)
})

test('no block of a proof can be left out', () => {
  for (const { key } of pairs.slice(0, 100)) {
    const proof = pathTo(store, root, key)
    for (const cid of proof.keys()) {
      const less = new Map(proof)
      less.delete(cid)
      expect(() => getValue(nodesOf(less), root, key)).toThrow(MissingNodeError)
    }
  }
})

test('an MST proof with a cycle is refused', () => {
  const endless = { node: (cid: Cid) => ({ left: (cid + String(Math.random())) as Cid, entries: [] }) }
  expect(() => pathTo(endless, root, 'a/b')).toThrow(InvalidNodeError)
})
