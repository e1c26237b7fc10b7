/**
 * The tree against the protocol's vectors, https://github.com/bluesky-social/atproto-interop-tests
 */
import { describe, expect, test } from 'vitest'
import { type Cid, formatCid, parseCid } from '#protocol/cid.ts'
import { commonPrefixLength, layerOf } from '#protocol/mst/key.ts'
import { EMPTY_ROOT, nodesOf } from '#protocol/mst/node.ts'
import type { Op } from '#protocol/mst/ops.ts'
import { applyOps, invertOps } from '#protocol/mst/tree.ts'
import { entries } from '#protocol/mst/walk.ts'
import { buildTree } from '../support/mst/build.ts'
import { vectorJson, vectorLines } from '../support/vectors.ts'

interface CommitProof {
  comment: string
  leafValue: string
  keys: string[]
  adds: string[]
  dels: string[]
  rootBeforeCommit: string
  rootAfterCommit: string
  blocksInProof: string[]
}

/** The root of a tree in which every key has the same value, and its blocks. */
function tree(keys: readonly string[], value: Cid): { root: Cid; blocks: Map<Cid, Buffer> } {
  const blocks = new Map(buildTree(keys.toSorted().map((key) => ({ key, value }))))
  return { root: [...blocks.keys()].at(-1) as Cid, blocks }
}

describe('vectors', () => {
  test('layers of keys', () => {
    const vectors = vectorJson<{ key: string; height: number }[]>('mst/key_heights.json')
    expect(vectors.length).toBeGreaterThan(5)
    expect(vectors.map(({ key }) => ({ key, height: layerOf(key) }))).toEqual(vectors)
  })

  test('common prefixes', () => {
    const vectors = vectorJson<{ left: string; right: string; len: number }[]>('mst/common_prefix.json')
    expect(vectors.length).toBeGreaterThan(5)
    for (const { left, right, len } of vectors) expect(commonPrefixLength(left, right)).toBe(len)
  })

  test('keys of every letter and layer', () => {
    const keys = vectorLines('mst/example_keys.txt')
    expect(keys.length).toBe(156)
    // A letter's six keys lie on the layers that their digits say.
    for (const key of keys) expect(layerOf(key)).toBe(Number(key[1]))
    const { root, blocks } = tree(keys, EMPTY_ROOT)
    expect(Array.from(entries(nodesOf(blocks), root), ({ key }) => key)).toEqual(keys.toSorted())
  })

  test.each(vectorJson<CommitProof[]>('firehose/commit-proof-fixtures.json'))(
    'commit proof: $comment',
    ({ leafValue, keys, adds, dels, rootBeforeCommit, rootAfterCommit, blocksInProof }) => {
      const value = parseCid(leafValue)
      const before = tree(keys, value)
      expect(formatCid(before.root)).toBe(rootBeforeCommit)
      const ops: Op[] = [
        ...adds.map((key) => ({ key, value, prev: null })),
        ...dels.map((key) => ({ key, value: null, prev: value })),
      ]
      const { root, created, proof } = applyOps(nodesOf(before.blocks), before.root, ops)
      expect(formatCid(root)).toBe(rootAfterCommit)
      const blocks = new Map([...created, ...proof])
      expect(Array.from(blocks.keys(), formatCid)).toEqual(expect.arrayContaining(blocksInProof))
      // The fixture's blocks suffice, and so do ours.
      const listed = new Map([...blocks].filter(([cid]) => blocksInProof.includes(formatCid(cid))))
      expect(invertOps(nodesOf(listed), root, ops)).toBe(before.root)
      expect(invertOps(nodesOf(blocks), root, ops.toReversed())).toBe(before.root)
    },
  )
})

// Roots that other implementations test for, too.
test.each([
  [[], 'bafyreie5737gdxlw5i64vzichcalba3z2v5n6icifvx5xytvske7mr3hpm'],
  [['com.example.record/3jqfcqzm3fo2j'], 'bafyreibj4lsc3aqnrvphp5xmrnfoorvru4wynt6lwidqbm2623a6tatzdu'],
  [['com.example.record/3jqfcqzm3fx2j'], 'bafyreih7wfei65pxzhauoibu3ls7jgmkju4bspy4t2ha2qdjnzqvoy33ai'],
  [
    [
      'com.example.record/3jqfcqzm3fp2j',
      'com.example.record/3jqfcqzm3fr2j',
      'com.example.record/3jqfcqzm3fs2j',
      'com.example.record/3jqfcqzm3ft2j',
      'com.example.record/3jqfcqzm4fc2j',
    ],
    'bafyreicmahysq4n6wfuxo522m6dpiy7z7qzym3dzs756t5n7nfdgccwq7m',
  ],
])('known root of %s', (keys, root) => {
  const value = parseCid('bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454')
  expect(formatCid(tree(keys, value).root)).toBe(root)
})
