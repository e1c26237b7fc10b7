import { describe, expect, test } from 'vitest'
import { cidForCbor, cidForRaw } from '#protocol/cid.ts'
import { commonPrefixLength, isValidKey, keyBytesMax, layerOf } from '#protocol/mst/key.ts'
import {
  decodeNode,
  EMPTY_ROOT,
  encodeNode,
  InvalidNodeError,
  MissingNodeError,
  type Node,
  nodesOf,
} from '#protocol/mst/node.ts'
import { mutate, seededRandom } from '../../support/random.ts'
import { randomKey, randomPairs, recordCid, slowTree } from './support.ts'

const CHILD = cidForCbor(Buffer.from('a child'))
const NODE: Node = {
  left: CHILD,
  entries: [
    { key: 'a.b.c/aaaa', value: recordCid(1), right: null },
    { key: 'a.b.c/aabb', value: recordCid(2), right: CHILD },
    { key: `b.c.d/${'x'.repeat(300)}`, value: recordCid(3), right: null },
    { key: `b.c.d/${'x'.repeat(300)}y`, value: recordCid(4), right: null },
  ],
}

test('a node comes back from its block as it was', () => {
  expect(decodeNode(encodeNode(NODE))).toEqual(NODE)
})

test('a node of thousands of entries comes back too', () => {
  const pairs = randomPairs(seededRandom(1), 3000)
  const node = { left: null, entries: pairs.map((pair) => ({ ...pair, right: CHILD })) }
  expect(decodeNode(encodeNode(node))).toEqual(node)
})

test('the empty tree has the root that the network knows', () => {
  expect(EMPTY_ROOT).toBe(cidForCbor(Buffer.from('a2616580616cf6', 'hex')))
  expect(decodeNode(Buffer.from('a2616580616cf6', 'hex'))).toEqual({ left: null, entries: [] })
})

test.each([[['a/b', 'a/b']], [['a/b', 'a/a']], [['a/bb', 'a/b']]])(
  'keys that do not ascend are not encoded: %s',
  (keys) => {
    const entries = keys.map((key) => ({ key, value: CHILD, right: null }))
    expect(() => encodeNode({ left: null, entries })).toThrow(InvalidNodeError)
  },
)

test.each([
  ['app.bsky.feed.post/3jzfcijpj2z2a', true],
  ['a/b', true],
  ['a/~_-:.', true],
  ['a', false],
  ['', false],
  ['/b', false],
  ['a/', false],
  ['a/b/c', false],
  ['a/b c', false],
  ['a/b\n', false],
  ['a/é', false],
  ['a/b%', false],
  [`a/${'x'.repeat(keyBytesMax - 2)}`, true],
  [`a/${'x'.repeat(keyBytesMax - 1)}`, false],
])('%s as a key: %s', (key, valid) => {
  expect(isValidKey(key)).toBe(valid)
})

test('the MST layer of a key counts the leading zero bit pairs of its hash', () => {
  const random = seededRandom(2)
  for (let i = 0; i < 5000; i++) {
    const key = randomKey(random)
    const bits = [...Buffer.from(cidForRaw(Buffer.from(key)).slice(4), 'latin1')]
      .map((byte) => byte.toString(2).padStart(8, '0'))
      .join('')
    expect(layerOf(key)).toBe(Math.floor(bits.indexOf('1') / 2))
  }
})

test('the common prefix length of two keys', () => {
  expect(commonPrefixLength('abc', 'abd')).toBe(2)
  expect(commonPrefixLength('abc', 'abcd')).toBe(3)
  expect(commonPrefixLength('', 'abc')).toBe(0)
})

test('a node source over blocks gives nodes and names a missing one', () => {
  const { root, blocks } = slowTree(randomPairs(seededRandom(3), 50))
  const source = nodesOf(blocks)
  expect(encodeNode(source.node(root))).toEqual(blocks.get(root))
  expect(source.node(root)).toBe(source.node(root))
  const missing = expect.objectContaining({ name: 'MissingNodeError', cid: CHILD })
  expect(() => source.node(CHILD)).toThrow(MissingNodeError)
  expect(() => source.node(CHILD)).toThrow(missing)
})

describe('blocks that are not nodes', () => {
  /** A node's block in hex, its links written short: L a link to a node, R a link to raw bytes. */
  const hex = (text: string) =>
    Buffer.from(
      text
        .replaceAll('L', `d82a582500${Buffer.from(CHILD, 'latin1').toString('hex')}`)
        .replaceAll('R', `d82a582500${Buffer.from(cidForRaw(Buffer.from('raw')), 'latin1').toString('hex')}`)
        .replaceAll(' ', ''),
      'hex',
    )
  const AB = '43612f62' // a/b

  test("the test's own encoder writes valid nodes", () => {
    const entries = [{ key: 'a/b', value: CHILD, right: CHILD }]
    expect(encodeNode({ left: null, entries })).toEqual(
      hex(`a2 6165 81 a4 616b ${AB} 6170 00 6174 L 6176 L 616c f6`),
    )
  })

  test.each([
    ['nothing', ''],
    ['another kind of value', '80'],
    ['a map of one', 'a1 6165 80'],
    ['fields in the wrong order', 'a2 616c f6 6165 80'],
    ['another field', 'a3 6165 80 616c f6 616d f6'],
    ['bytes after the end', 'a2 6165 80 616c f6 00'],
    ['cut off', 'a2 6165 80 616c'],
    ['fewer entries than said', 'a2 6165 81 616c f6'],
    ['four thousand million entries, none there', 'a2 6165 9affffffff 616c f6'],
    ['an array of unknown length', 'a2 6165 9f ff 616c f6'],
    ['a length that is longer than need be', 'a2 6165 9800 616c f6'],
    ['left as a link to raw bytes', 'a2 6165 80 616c R'],
    ['left cut off', 'a2 6165 80 616c d82a5825000171122000'],
    ['left undefined', 'a2 6165 80 616c f7'],
    ['right as a link to raw bytes', `a2 6165 81 a4 616b ${AB} 6170 00 6174 R 6176 L 616c f6`],
    ['no value', `a2 6165 81 a4 616b ${AB} 6170 00 6174 f6 6176 f6 616c f6`],
    ['an entry without right', `a2 6165 81 a3 616b ${AB} 6170 00 6176 L 616c f6`],
    ['a key as text', 'a2 6165 81 a4 616b 63612f62 6170 00 6174 f6 6176 L 616c f6'],
    ['a key without slash', 'a2 6165 81 a4 616b 43616262 6170 00 6174 f6 6176 L 616c f6'],
    ['a key that is not ASCII', 'a2 6165 81 a4 616b 44612fc3a9 6170 00 6174 f6 6176 L 616c f6'],
    [
      'a key length that is longer than need be',
      'a2 6165 81 a4 616b 5803612f62 6170 00 6174 f6 6176 L 616c f6',
    ],
    ['a key cut off', 'a2 6165 81 a4 616b 43612f'],
    ['a prefix of nothing', `a2 6165 81 a4 616b ${AB} 6170 01 6174 f6 6176 L 616c f6`],
    ['a negative prefix', `a2 6165 81 a4 616b ${AB} 6170 20 6174 f6 6176 L 616c f6`],
    ['a prefix written long', `a2 6165 81 a4 616b ${AB} 6170 1800 6174 f6 6176 L 616c f6`],
  ])('%s', (_, block) => {
    expect(() => decodeNode(hex(block))).toThrow(InvalidNodeError)
  })

  test.each([
    ['the same key again', '40', '03'],
    ['a prefix longer than the key before', '4163', '04'],
    ['a prefix shorter than it could be', '422f63', '01'],
    ['a key before the one before', '4161', '02'],
    ['a key with an empty rest that is less', '40', '02'],
  ])('second entry: %s', (_, rest, prefix) => {
    const first = `a4 616b ${AB} 6170 00 6174 f6 6176 L`
    const block = `a2 6165 82 ${first} a4 616b ${rest} 6170 ${prefix} 6174 f6 6176 L 616c f6`
    expect(() => decodeNode(hex(block))).toThrow(InvalidNodeError)
    const right = `a2 6165 82 ${first} a4 616b 4163 6170 02 6174 f6 6176 L 616c f6`
    expect(decodeNode(hex(right)).entries[1]?.key).toBe('a/c')
  })

  test('of 10,000 forged blocks the canonical ones are read and the others refused', () => {
    const random = seededRandom(4)
    const originals = [...slowTree(randomPairs(random, 300)).blocks.values()]
    let accepted = 0
    for (let i = 0; i < 10_000; i++) {
      const forged = mutate(random.pick(originals), random)
      try {
        const node = decodeNode(forged)
        expect(encodeNode(node).equals(forged)).toBe(true)
        accepted++
      } catch (error) {
        if (!(error instanceof InvalidNodeError)) throw error
      }
    }
    expect(accepted).toBeGreaterThan(100)
    expect(accepted).toBeLessThan(9_000)
  })
})
