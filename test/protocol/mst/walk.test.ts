import { describe, expect, test } from 'vitest'
import { type Cid, cidForCbor } from '#protocol/cid.ts'
import { layerOf } from '#protocol/mst/key.ts'
import { EMPTY_ROOT, encodeNode, InvalidNodeError, MissingNodeError, type Node } from '#protocol/mst/node.ts'
import { pathTo } from '#protocol/mst/proof.ts'
import { entries, nodes } from '#protocol/mst/walk.ts'
import { buildTree } from '../../support/mst/build.ts'
import { seededRandom } from '../../support/random.ts'
import { type Pair, randomKey, randomPairs, recordCid, Store } from './support.ts'

const random = seededRandom(1)
const pairs = randomPairs(random, 3000)
const store = Store.of(buildTree(pairs))
const root = [...buildTree(pairs)].at(-1)?.[0] as Cid
const asPairs = (walk: Iterable<Pair>): Pair[] => Array.from(walk, ({ key, value }) => ({ key, value }))

describe('entries', () => {
  test('come all, in order', () => {
    expect(asPairs(entries(store, root))).toEqual(pairs)
    expect([...entries(store, EMPTY_ROOT)]).toEqual([])
  })

  test('come after a key, with a prefix, and both', () => {
    const prefixes = [
      '',
      'app.bsky.feed.post/',
      'app.bsky.graph.follow/',
      'app.bsky.graph.follow',
      'a',
      'zzz',
      'app.bsky.aaa/',
    ]
    for (let i = 0; i < 300; i++) {
      const prefix = random.pick(prefixes)
      const after = random.pick([undefined, '', 'zzz', randomKey(random), random.pick(pairs).key, prefix])
      const wanted = pairs.filter(({ key }) => key.startsWith(prefix) && (after === undefined || key > after))
      expect(asPairs(entries(store, root, { after, prefix }))).toEqual(wanted)
    }
  })

  test('that are not asked for are not loaded', () => {
    for (let i = 0; i < 50; i++) {
      const at = random.below(pairs.length - 10)
      const { key } = pairs[at] as Pair
      store.loads = []
      const walk = entries(store, root, { after: key })
      for (let n = 1; n <= 5; n++) expect(walk.next().value?.key).toBe(pairs[at + n]?.key)
      const needed = new Set(
        pairs.slice(at, at + 6).flatMap((pair) => [...pathTo(store, root, pair.key).keys()]),
      )
      // Beside the ways to these keys, the gaps between them may reach further down.
      const gaps = pairs.slice(at, at + 6).flatMap((pair) => [...pathTo(store, root, `${pair.key}0`).keys()])
      for (const gap of gaps) needed.add(gap)
      const loads = store.loads
      expect(loads.filter((cid) => !needed.has(cid))).toEqual([])
    }
  })

  test('of a prefix that is not there cost one way down', () => {
    store.loads = []
    expect([...entries(store, root, { prefix: 'app.bsky.aaa/' })]).toEqual([])
    expect([...entries(store, root, { prefix: 'zzz/' })]).toEqual([])
    expect(store.loads.length).toBeLessThan(25)
  })
})

describe('nodes', () => {
  test('come all and once, each before those below it', () => {
    const seen = new Set<Cid>()
    const announced = new Set([root])
    for (const { cid, node } of nodes(store, root)) {
      expect(announced.delete(cid)).toBe(true)
      expect(encodeNode(node)).toEqual(store.blocks.get(cid))
      seen.add(cid)
      for (const child of [node.left, ...node.entries.map(({ right }) => right)])
        if (child !== null) announced.add(child)
    }
    expect(announced.size).toBe(0)
    expect(seen.size).toBe(store.blocks.size - 1)
  })

  test('come lazily', () => {
    store.loads = []
    nodes(store, root).take(3).toArray()
    expect(store.loads.length).toBeLessThan(6)
  })

  test('of the empty tree are one', () => {
    expect(nodes(store, EMPTY_ROOT).toArray()).toEqual([
      { cid: EMPTY_ROOT, node: { left: null, entries: [] } },
    ])
  })
})

describe('a tree from elsewhere', () => {
  const foreign = new Store()
  const put = (left: Cid | null, ...parts: [key: string, right: Cid | null][]): Cid => {
    const node: Node = { left, entries: parts.map(([key, right]) => ({ key, value: recordCid(key), right })) }
    const block = encodeNode(node)
    foreign.blocks.set(cidForCbor(block), block)
    return cidForCbor(block)
  }
  const keyOn = (layer: number) => {
    for (let i = 0; ; i++) if (layerOf(`m/${i}`) === layer) return `m/${i}`
  }
  const [low, high] = [keyOn(0), keyOn(2)]
  const chain = (length: number): Cid => (length === 0 ? put(null, ['a/a', null]) : put(chain(length - 1)))

  test.each([
    ['a subtree out of its range', put(put(put(null, ['z/z', null])), [high, null])],
    ['the same subtree twice', put(put(null, ['a/a', null]), [high, put(null, ['a/a', null])])],
    ['too many layers', put(chain(2), [high, null])],
    ['a subtree of the lowest layer', put(put(null, ['a/a', null]), [low, null])],
    ['an empty node inside', put(put(null), [high, null])],
    ['a root without keys', put(put(null, [low, null]))],
  ])('is refused for %s', (_, cid) => {
    expect(() => [...entries(foreign, cid)]).toThrow(InvalidNodeError)
    expect(() => [...nodes(foreign, cid)]).toThrow(InvalidNodeError)
  })

  test('is walked as far as it is there', () => {
    const cid = put(chain(1), [high, recordCid('missing')])
    const walk = entries(foreign, cid)
    expect(walk.next().value?.key).toBe('a/a')
    expect(walk.next().value?.key).toBe(high)
    expect(() => walk.next()).toThrow(MissingNodeError)
  })
})
