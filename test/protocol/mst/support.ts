/**
 * What the tests of the tree share: keys, ops, a store in memory, and the tree made the slow,
 * obvious way.
 */
import { type Cid, cidForCbor } from '#protocol/cid.ts'
import { layerOf } from '#protocol/mst/key.ts'
import {
  EMPTY_ROOT,
  type Entry,
  encodeNode,
  type Node,
  type NodeSource,
  nodesOf,
} from '#protocol/mst/node.ts'
import type { Op } from '#protocol/mst/ops.ts'
import type { Applied } from '#protocol/mst/tree.ts'
import type { Random } from '../../support/random.ts'

export interface Pair {
  key: string
  value: Cid
}

const COLLECTIONS = [
  'app.bsky.feed.like',
  'app.bsky.feed.post',
  'app.bsky.graph.follow',
  'app.bsky.graph.followx',
]
const CHARACTERS = [...'234567abcdefghijklmnopqrstuvwxyz']

/** A key like those of real repositories. */
export function randomKey(random: Random): string {
  const rkey = Array.from({ length: 12 }, () => random.pick(CHARACTERS)).join('')
  return `${random.pick(COLLECTIONS)}/3${rkey}`
}

/** The CID of a record that differs from the record of every other name. */
export const recordCid = (name: string | number): Cid => cidForCbor(Buffer.from(`record ${name}`))

/** `count` distinct keys with values, sorted by key. */
export function randomPairs(random: Random, count: number): Pair[] {
  const keys = new Set<string>()
  while (keys.size < count) keys.add(randomKey(random))
  return [...keys].sort().map((key) => ({ key, value: recordCid(key) }))
}

export const creates = (pairs: Iterable<Pair>): Op[] =>
  Array.from(pairs, ({ key, value }) => ({ key, value, prev: null }))

export const sortedPairs = (held: ReadonlyMap<string, Cid>): Pair[] =>
  [...held].map(([key, value]) => ({ key, value })).sort((a, b) => (a.key < b.key ? -1 : 1))

/** Blocks in memory that follow a tree through its changes and drop what a change removes. */
export class Store implements NodeSource {
  readonly blocks = new Map<Cid, Uint8Array>([[EMPTY_ROOT, encodeNode({ left: null, entries: [] })]])
  /** The nodes asked for so far. */
  loads: Cid[] = []
  readonly #nodes = nodesOf(this.blocks)

  static of(blocks: Iterable<[Cid, Uint8Array]>): Store {
    const store = new Store()
    for (const [cid, block] of blocks) store.blocks.set(cid, block)
    return store
  }

  node(cid: Cid): Node {
    this.loads.push(cid)
    return this.#nodes.node(cid)
  }

  take({ created, removed }: Pick<Applied, 'created' | 'removed'>): void {
    for (const [cid, block] of created) this.blocks.set(cid, block)
    for (const cid of removed) this.blocks.delete(cid)
  }
}

/**
 * The tree by its definition: the highest keys make the root, and what lies between them makes its
 * subtrees, layer by layer.
 */
export function slowTree(pairs: readonly Pair[]): { root: Cid; blocks: Map<Cid, Uint8Array> } {
  const blocks = new Map<Cid, Uint8Array>()
  const write = (node: Node): Cid => {
    const block = encodeNode(node)
    const cid = cidForCbor(block)
    blocks.set(cid, block)
    return cid
  }
  const subtree = (part: readonly Pair[], layer: number): Cid | null => {
    if (part.length === 0) return null
    const at = part.flatMap(({ key }, i) => (layerOf(key) === layer ? [i] : []))
    const between = [-1, ...at].map((start, n) =>
      subtree(part.slice(start + 1, at[n] ?? part.length), layer - 1),
    )
    const entries: Entry[] = at.map((i, n) => ({ ...(part[i] as Pair), right: between[n + 1] as Cid | null }))
    return write({ left: between[0] as Cid | null, entries })
  }
  const top = Math.max(0, ...pairs.map(({ key }) => layerOf(key)))
  return { root: subtree(pairs, top) ?? write({ left: null, entries: [] }), blocks }
}

/**
 * Random ops that a tree holding `held` can take, one key sometimes several times, and what it
 * holds after them.
 */
export function randomOps(
  random: Random,
  held: ReadonlyMap<string, Cid>,
  count: number,
): { ops: Op[]; after: Map<string, Cid> } {
  const after = new Map(held)
  const keys = [...held.keys()]
  const ops: Op[] = []
  while (ops.length < count) {
    const kind = random.below(10)
    const key =
      kind === 0 && ops.length > 0
        ? random.pick(ops).key
        : kind < 5 || keys.length === 0
          ? randomKey(random)
          : random.pick(keys)
    const prev = after.get(key) ?? null
    const value = prev !== null && random.below(10) < 6 ? null : recordCid(`${key} ${random.below(1e9)}`)
    ops.push({ key, value, prev })
    if (value === null) after.delete(key)
    else after.set(key, value)
  }
  return { ops, after }
}
