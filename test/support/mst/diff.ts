/** What differs between two trees. Subtrees that are equal are passed over without being loaded. */
import type { Cid } from '#protocol/cid.ts'
import { encodeNode, type Node, type NodeSource } from '#protocol/mst/node.ts'
import type { Op } from '#protocol/mst/ops.ts'
import { Cursor } from '#protocol/mst/walk.ts'

/** What leads from one tree to another. */
export interface Diff {
  /** One op for each key that differs, sorted by key. */
  ops: Op[]
  /** Blocks of the second tree that the first does not have. */
  created: Map<Cid, Buffer>
  /** Nodes of the first tree that the second does not have. */
  removed: Cid[]
}

/**
 * The difference between two trees of one source; `from` null stands for no tree, of which no node
 * is removed.
 * @throws MissingNodeError, InvalidNodeError
 */
export function diffTrees(source: NodeSource, from: Cid | null, to: Cid): Diff {
  const ops: Op[] = []
  const entered = new Map<Cid, Node>()
  const left = new Set<Cid>()
  const before = new Cursor(source, from)
  const after = new Cursor(source, to)
  const enterBefore = (cid: Cid) => {
    left.add(cid)
    before.enter()
  }
  const enterAfter = (cid: Cid) => {
    entered.set(cid, after.enter())
  }

  while (before.at !== null || after.at !== null) {
    const a = before.at
    const b = after.at
    if (typeof a === 'string' && typeof b === 'string') {
      const higher = before.layer - after.layer
      if (a === b) {
        before.next()
        after.next()
      } else {
        if (higher >= 0) enterBefore(a)
        if (higher <= 0) enterAfter(b)
      }
    } else if (typeof a === 'string') {
      enterBefore(a)
    } else if (typeof b === 'string') {
      enterAfter(b)
    } else if (b === null || (a !== null && a.key < b.key)) {
      ops.push({ key: a!.key, value: null, prev: a!.value })
      before.next()
    } else if (a === null || b.key < a.key) {
      ops.push({ key: b.key, value: b.value, prev: null })
      after.next()
    } else {
      if (a.value !== b.value) ops.push({ key: b.key, value: b.value, prev: a.value })
      before.next()
      after.next()
    }
  }

  // An equal subtree that the two cursors did not reach together was entered on both sides.
  const created = new Map<Cid, Buffer>()
  for (const [cid, node] of entered) if (!left.delete(cid)) created.set(cid, encodeNode(node))
  return { ops, created, removed: [...left] }
}
