import { describe, expect, test } from 'vitest'
import { type Cid, cidForCbor } from '#protocol/cid.ts'
import { InvalidKeyError, layerOf } from '#protocol/mst/key.ts'
import {
  EMPTY_ROOT,
  type Entry,
  encodeNode,
  InvalidNodeError,
  MissingNodeError,
  type Node,
  nodesOf,
} from '#protocol/mst/node.ts'
import { netOps, type Op, OpError } from '#protocol/mst/ops.ts'
import { type Applied, applyOps, getValue, invertOps } from '#protocol/mst/tree.ts'
import { mutate, type Random, seededRandom } from '../../support/random.ts'
import {
  creates,
  type Pair,
  randomKey,
  randomOps,
  randomPairs,
  recordCid,
  Store,
  slowTree,
  sortedPairs,
} from './support.ts'

/** What a commit carries of the tree. */
const sent = ({ created, proof }: Applied) => new Map<Cid, Uint8Array>([...created, ...proof])

/**
 * Histories of random batches from the empty tree on; every third is of small trees that often
 * become empty again.
 */
function histories(
  count: number,
  visit: (step: {
    before: Store
    root: Cid
    held: Map<string, Cid>
    ops: Op[]
    after: Map<string, Cid>
  }) => Applied,
) {
  for (let seed = 1; seed <= count; seed++) {
    const random = seededRandom(seed)
    const before = new Store()
    let root = EMPTY_ROOT
    let held = new Map<string, Cid>()
    for (let step = 0; step < 25; step++) {
      const opCount = seed % 3 === 0 ? 1 + random.below(2) : random.pick([1, 1, 2, 5, 40])
      const { ops, after } = randomOps(random, held, opCount)
      before.loads = []
      const applied = visit({ before, root, held, ops, after })
      before.take(applied)
      root = applied.root
      held = after
    }
  }
}

describe('random histories', () => {
  test('the tree is the one its keys define, and created and removed lead from one to the next', () => {
    histories(60, ({ before, root, ops, after }) => {
      const applied = applyOps(before, root, ops)
      const wanted = slowTree(sortedPairs(after))
      expect(applied.root).toBe(wanted.root)
      expect([...applied.created.keys()].filter((cid) => before.blocks.has(cid))).toEqual([])
      expect(applied.removed.filter((cid) => !before.blocks.has(cid))).toEqual([])
      const blocks = new Map(before.blocks)
      for (const cid of applied.removed) blocks.delete(cid)
      for (const [cid, block] of applied.created) blocks.set(cid, block)
      expect([...blocks.keys()].sort()).toEqual([...wanted.blocks.keys()].sort())
      for (const [cid, block] of applied.created) expect(cidForCbor(block)).toBe(cid)
      for (const [cid, node] of applied.nodes) expect(encodeNode(node)).toEqual(applied.created.get(cid))
      expect(applied.nodes.size).toBe(applied.created.size)
      return applied
    })
  })

  test('the ops invert over nothing but the blocks sent', () => {
    histories(60, ({ before, root, ops }) => {
      const applied = applyOps(before, root, ops)
      expect(invertOps(nodesOf(sent(applied)), applied.root, ops)).toBe(root)
      const net = netOps(ops)
      expect(invertOps(nodesOf(sent(applied)), applied.root, net.toReversed())).toBe(root)
      return applied
    })
  })

  test('no node is loaded that is neither replaced nor proved', () => {
    histories(30, ({ before, root, ops }) => {
      const applied = applyOps(before, root, ops)
      const used = new Set([root, ...applied.removed, ...applied.proof.keys()])
      expect(before.loads.filter((cid) => !used.has(cid))).toEqual([])
      return applied
    })
  })

  test('every value is found, before and after', () => {
    histories(10, ({ before, root, held, ops, after }) => {
      for (const [key, value] of held) expect(getValue(before, root, key)).toBe(value)
      const applied = applyOps(before, root, ops)
      const store = Store.of([...before.blocks, ...applied.created])
      for (const { key } of ops) expect(getValue(store, applied.root, key)).toBe(after.get(key) ?? null)
      return applied
    })
  })

  test('an op that was not made is not inverted', () => {
    histories(30, ({ before, root, ops }) => {
      const applied = applyOps(before, root, ops)
      const source = nodesOf(sent(applied))
      for (const op of netOps(ops).slice(0, 5)) {
        const lies: Op[] =
          op.value === null
            ? [
                { ...op, value: recordCid('lie') },
                { ...op, value: recordCid('lie'), prev: null },
              ]
            : [
                { ...op, value: recordCid('lie') },
                { ...op, value: null, prev: op.prev ?? recordCid('lie') },
              ]
        for (const lie of lies) expect(() => invertOps(source, applied.root, [lie])).toThrow(OpError)
      }
      return applied
    })
  })
})

describe('ops', () => {
  const pairs = randomPairs(seededRandom(5), 200)
  const store = new Store()
  const base = applyOps(store, EMPTY_ROOT, creates(pairs))
  store.take(base)
  const held = pairs[50] as Pair
  const free = 'app.bsky.feed.post/free'
  const [a, b, c] = [recordCid('a'), recordCid('b'), recordCid('c')]

  test('none change nothing', () => {
    const nothing = { root: base.root, created: new Map(), nodes: new Map(), removed: [], proof: new Map() }
    expect(applyOps(store, base.root, [])).toEqual(nothing)
    expect(invertOps(store, base.root, [])).toBe(base.root)
    expect(applyOps(store, EMPTY_ROOT, []).root).toBe(EMPTY_ROOT)
  })

  test.each<[string, Op]>([
    ['create of a key that is there', { key: held.key, value: a, prev: null }],
    ['update from another value', { key: held.key, value: a, prev: b }],
    ['update of a key that is not there', { key: free, value: a, prev: b }],
    ['delete of another value', { key: held.key, value: null, prev: b }],
    ['delete of a key that is not there', { key: free, value: null, prev: b }],
    ['delete of a key above the tree', { key: keysOnLayers(6)[0] as string, value: null, prev: b }],
    ['update of nothing to nothing', { key: free, value: null, prev: null }],
    ['update to the same of another value', { key: held.key, value: a, prev: a }],
  ])('%s is refused', (_, op) => {
    expect(() => applyOps(store, base.root, [op])).toThrow(OpError)
    expect(() => applyOps(store, base.root, [op])).toThrow(expect.objectContaining({ op }))
  })

  test('a key that is none is refused', () => {
    const op = { key: 'free', value: a, prev: null }
    expect(() => applyOps(store, base.root, [op])).toThrow(InvalidKeyError)
    expect(() => invertOps(store, base.root, [op])).toThrow(InvalidKeyError)
  })

  test('several on one key count as the change they make together', () => {
    const several = [
      { key: free, value: a, prev: null },
      { key: held.key, value: b, prev: held.value },
      { key: free, value: b, prev: a },
      { key: held.key, value: null, prev: b },
      { key: free, value: c, prev: b },
    ]
    const together = [
      { key: held.key, value: null, prev: held.value },
      { key: free, value: c, prev: null },
    ]
    expect(netOps(several)).toEqual(together)
    const applied = applyOps(store, base.root, several)
    expect(applied).toEqual(applyOps(store, base.root, together))
    expect(invertOps(nodesOf(sent(applied)), applied.root, several)).toBe(base.root)
  })

  test('several on one key that do not follow each other are refused', () => {
    const op = { key: free, value: c, prev: b }
    expect(() => applyOps(store, base.root, [{ key: free, value: a, prev: null }, op])).toThrow(OpError)
    expect(() =>
      applyOps(store, base.root, [
        { key: free, value: a, prev: null },
        { ...op, prev: null },
      ]),
    ).toThrow(OpError)
  })

  test('a key that ends as it began leaves the tree alone and is proved', () => {
    const ops = [
      { key: free, value: a, prev: null },
      { key: free, value: null, prev: a },
      { key: held.key, value: a, prev: held.value },
      { key: held.key, value: held.value, prev: a },
    ]
    const applied = applyOps(store, base.root, ops)
    expect(applied).toMatchObject({ root: base.root, removed: [] })
    expect(applied.created.size).toBe(0)
    const proof = nodesOf(applied.proof)
    expect(getValue(proof, base.root, free)).toBe(null)
    expect(getValue(proof, base.root, held.key)).toBe(held.value)
    expect(invertOps(proof, base.root, ops)).toBe(base.root)
    expect(() =>
      applyOps(store, base.root, [
        { ...ops[0]!, key: held.key },
        { ...ops[1]!, key: held.key },
      ]),
    ).toThrow(OpError)
  })

  test('a batch that puts back what another took out is no change to the store', () => {
    const without = applyOps(store, base.root, [{ key: held.key, value: null, prev: held.value }])
    const source = nodesOf(new Map([...store.blocks, ...without.created]))
    const back = applyOps(source, without.root, [{ key: held.key, value: held.value, prev: null }])
    expect(back.root).toBe(base.root)
    expect(new Set(back.created.keys())).toEqual(new Set(without.removed))
    expect(new Set(back.removed)).toEqual(new Set(without.created.keys()))
  })

  test('nodes of the source are not altered', () => {
    const node = store.node(base.root)
    const copy = structuredClone(node)
    applyOps(
      store,
      base.root,
      pairs.slice(0, 100).map(({ key, value }) => ({ key, value: null, prev: value })),
    )
    expect(node).toEqual(copy)
  })

  test('a store without a node that is needed says which', () => {
    const path = base.created.keys().toArray()
    const gone = path.find((cid) => cid !== base.root) as Cid
    const holes = nodesOf(new Map([...base.created].filter(([cid]) => cid !== gone)))
    const all = pairs.map(({ key, value }) => ({ key, value: null, prev: value }))
    expect(() => applyOps(holes, base.root, all)).toThrow(
      expect.objectContaining({ name: 'MissingNodeError', cid: gone }),
    )
  })
})

/** Ascending keys of the given layers. */
function keysOnLayers(...layers: number[]): string[] {
  let i = 0
  return layers.map((layer) => {
    for (; ; i++) {
      const key = `app.bsky.feed.post/${String(i).padStart(6, '0')}`
      if (layerOf(key) === layer) {
        i++
        return key
      }
    }
  })
}

describe('partial trees from elsewhere', () => {
  const random = seededRandom(6)
  const store = new Store()
  const pairs = randomPairs(random, 500)
  const base = applyOps(store, EMPTY_ROOT, creates(pairs))
  store.take(base)

  test('a block that inversion needs and does not get is named as missing', () => {
    let refused = 0
    for (let i = 0; i < 200; i++) {
      const { ops } = randomOps(random, new Map(pairs.map(({ key, value }) => [key, value])), 3)
      const applied = applyOps(store, base.root, ops)
      const blocks = sent(applied)
      for (const cid of blocks.keys()) {
        const fewer = new Map(blocks)
        fewer.delete(cid)
        try {
          // Some proofs reach further than these ops need.
          expect(invertOps(nodesOf(fewer), applied.root, ops)).toBe(base.root)
        } catch (error) {
          expect(error).toBeInstanceOf(MissingNodeError)
          refused++
        }
      }
    }
    expect(refused).toBeGreaterThan(1000)
  })

  /** Keys of layer 0 and 1, the first three of them in ascending order: below, between, above. */
  const [low, middle, high] = keysOnLayers(0, 1, 0) as [string, string, string]
  const [top] = keysOnLayers(2) as [string]
  const [lower, upper] = keysOnLayers(1, 1) as [string, string]
  const [inside, bound, outside] = keysOnLayers(1, 2, 1) as [string, string, string]
  const blocks = new Map<Cid, Uint8Array>()
  const put = (left: Cid | null, ...entries: [key: string, right: Cid | null][]): Cid => {
    const node: Node = {
      left,
      entries: entries.map(([key, right]): Entry => ({ key, value: recordCid(key), right })),
    }
    const block = encodeNode(node)
    const cid = cidForCbor(block)
    blocks.set(cid, block)
    return cid
  }
  const created = (key: string): Op => ({ key, value: recordCid(key), prev: null })
  const deleted = (key: string): Op => ({ key, value: null, prev: recordCid(key) })

  test.each<[string, Cid, Op[]]>([
    ['a key on a layer above its own', put(null, [middle, null], [high, null]), [created(middle)]],
    ['a child two layers down', put(put(null, [low, null]), [top, null]), [created(top), deleted(high)]],
    ["a child of its parent's layer", put(put(null, [lower, null]), [upper, null]), [deleted(low)]],
    [
      'a key beyond the one above it',
      put(put(null, [inside, null], [outside, null]), [bound, null]),
      [created(inside)],
    ],
    ['a root without keys', put(put(null, [low, null])), [created(low)]],
    ['a child that is empty', put(put(null), [middle, null]), [deleted(low)]],
    [
      'a subtree below layer 0',
      put(put(null, [low, null]), [high, null]),
      [deleted(keysOnLayers(0, 0)[0] as string)],
    ],
    [
      'a subtree out of its range',
      put(put(null, [high, null]), [middle, put(null, [low, null])]),
      [created(middle)],
    ],
  ])('%s is refused', (_, root, ops) => {
    expect(() => invertOps(nodesOf(blocks), root, ops)).toThrow(InvalidNodeError)
  })

  test('trees of nodes put together at random are refused or inverted, and nothing else happens', () => {
    const outcomes = new Map<string, number>()
    for (let i = 0; i < 3000; i++) {
      const { root, nodes, ops } = randomNonsense(random)
      let outcome = 'inverted'
      try {
        invertOps(nodesOf(nodes), root, ops)
      } catch (error) {
        if (
          !(
            error instanceof InvalidNodeError ||
            error instanceof MissingNodeError ||
            error instanceof OpError
          )
        )
          throw error
        outcome = error.name
      }
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    }
    expect([...outcomes.keys()].sort()).toEqual([
      'InvalidNodeError',
      'MissingNodeError',
      'OpError',
      'inverted',
    ])
  })

  test('of blocks with forged bytes only typed errors come', () => {
    for (let i = 0; i < 3000; i++) {
      const { ops } = randomOps(random, new Map(pairs.map(({ key, value }) => [key, value])), 2)
      const applied = applyOps(store, base.root, ops)
      const forged = new Map(
        [...sent(applied)].map(([cid, block]) => [cid, random.below(4) ? block : mutate(block, random)]),
      )
      try {
        invertOps(nodesOf(forged), applied.root, ops)
      } catch (error) {
        if (
          !(
            error instanceof InvalidNodeError ||
            error instanceof MissingNodeError ||
            error instanceof OpError
          )
        )
          throw error
      }
    }
  })

  test('a chain of nodes without keys ends', () => {
    let cid = put(null, [low, null])
    for (let i = 0; i < 10_000; i++) cid = put(cid)
    const root = put(cid, [keysOnLayers(6)[0] as string, null])
    expect(() => invertOps(nodesOf(blocks), root, [deleted('a/b')])).toThrow(InvalidNodeError)
    expect(() => getValue(nodesOf(blocks), root, 'a/b')).toThrow(InvalidNodeError)
  })
})

/**
 * Nodes whose keys ascend within each and whose children are any of the others, and ops on their
 * keys.
 */
function randomNonsense(random: Random): { root: Cid; nodes: Map<Cid, Uint8Array>; ops: Op[] } {
  const nodes = new Map<Cid, Uint8Array>()
  const pool = randomPairs(random, 12)
  const cids: Cid[] = [recordCid('missing')]
  const child = () => (random.below(2) ? null : random.pick(cids))
  for (let i = 0; i < 8; i++) {
    const layer = random.below(3)
    const fit = random.below(4) === 0 ? pool : pool.filter(({ key }) => layerOf(key) === layer)
    const entries = fit.filter(() => random.below(2)).map((pair): Entry => ({ ...pair, right: child() }))
    const block = encodeNode({ left: child(), entries })
    cids.push(cidForCbor(block))
    nodes.set(cidForCbor(block), block)
  }
  const ops = Array.from({ length: 1 + random.below(3) }, (): Op => {
    const { key, value } = random.pick(pool)
    return random.below(2) ? { key, value, prev: null } : { key: randomKey(random), value: null, prev: value }
  })
  return { root: cids.at(-1) as Cid, nodes, ops: [...new Map(ops.map((op) => [op.key, op])).values()] }
}
