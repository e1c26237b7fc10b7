/**
 * The nodes that show what a tree holds at a key. A proof is checked by reading it: `getValue` over
 * `nodesOf` the blocks gives the value, or null, or throws MissingNodeError when the blocks prove
 * nothing.
 *
 * https://atproto.com/specs/sync#record-proofs
 */
import type { Cid } from '../cid.ts'
import { layerMax } from './key.ts'
import { childAt, encodeNode, InvalidNodeError, type Node, type NodeSource, position } from './node.ts'

/**
 * The blocks on the way from the root to the node that holds `key`, or, when none does, to the
 * bottom of the gap where it would be.
 * @throws MissingNodeError, InvalidNodeError
 */
export function pathTo(source: NodeSource, root: Cid, key: string): Map<Cid, Buffer> {
  const blocks = new Map<Cid, Buffer>()
  let cid: Cid | null = root
  while (cid !== null) {
    if (blocks.size > layerMax) throw new InvalidNodeError('a tree higher than any key')
    const node = source.node(cid)
    blocks.set(cid, encodeNode(node))
    const i = position(node, key)
    cid = node.entries[i]?.key === key ? null : childAt(node, i)
  }
  return blocks
}

/**
 * Visits the nodes on the paths from `cid` to `key` and to the keys on either side of it, except
 * those in `seen`: enough to show what the tree holds at `key`, to insert the key and to remove it.
 * `@atproto/repo` calls it the covering proof.
 */
export function coverKey(
  source: NodeSource,
  cid: Cid | null,
  key: string,
  seen: Set<Cid>,
  visit: (cid: Cid, node: Node) => void,
): void {
  if (cid === null) return
  const node = source.node(cid)
  if (!seen.has(cid)) {
    seen.add(cid)
    visit(cid, node)
  }
  const i = position(node, key)
  coverKey(source, childAt(node, i), key, seen, visit)
  if (node.entries[i]?.key === key) coverKey(source, childAt(node, i + 1), key, seen, visit)
}
