/**
 * Reading and changing a tree: the value of a key, ops applied, ops inverted. Functions of a source
 * and a root CID that answer with a root CID and change nothing; storing what they make is the
 * caller's.
 *
 * A batch of ops works on one draft of the tree: the nodes that change are copied into memory when
 * first touched, and each is encoded and hashed once, at the end. The rest of the tree stays a CID
 * and is not loaded.
 *
 * https://atproto.com/specs/repository#mst-structure,
 * https://atproto.com/specs/sync#commit-validation-mst-operation-inversion
 */
import { type Cid, cidForCbor } from '../cid.ts'
import { layerMax, layerOf } from './key.ts'
import {
  childAt,
  EMPTY_ROOT,
  encodeNode,
  InvalidNodeError,
  MissingNodeError,
  type Node,
  type NodeSource,
  position,
  rootLayer,
} from './node.ts'
import { foldOps, type Op, OpError } from './ops.ts'
import { coverKey } from './proof.ts'

/** What a batch of ops made of a tree. */
export interface Applied {
  root: Cid
  /** Blocks of the new tree that the old one did not have. */
  created: Map<Cid, Buffer>
  /** The nodes of `created`, for a cache. */
  nodes: Map<Cid, Node>
  /** Nodes of the old tree that the new one does not have. */
  removed: Cid[]
  /**
   * Blocks common to both trees which, with `created`, show what the new tree holds at each op's
   * key and at the keys next to it. Over these blocks the ops can be inverted.
   */
  proof: Map<Cid, Buffer>
}

/**
 * The CID at `key`, null when the tree has no such key.
 * @throws MissingNodeError, InvalidNodeError
 */
export function getValue(source: NodeSource, root: Cid, key: string): Cid | null {
  let cid: Cid | null = root
  for (let depth = 0; cid !== null; depth++) {
    if (depth > layerMax) throw new InvalidNodeError('a tree deeper than its keys can make it')
    const node = source.node(cid)
    const i = position(node, key)
    const entry = node.entries[i]
    if (entry?.key === key) return entry.value
    cid = childAt(node, i)
  }
  return null
}

/**
 * The tree after `ops`. Several ops on one key apply in order, each `prev` being the `value` before
 * it, and count as the one change they make together; a key whose value ends as it began does not
 * change the tree, but is proved.
 * @throws OpError when the tree does not hold an op's `prev`, InvalidKeyError, and what the source
 * throws
 */
export function applyOps(source: NodeSource, root: Cid, ops: readonly Op[]): Applied {
  const folded = foldOps(ops)
  const draft = new DraftTree(source, root, false)
  for (const op of folded) draft.change(op, op.prev, op.value)
  const sealed = draft.seal()

  const proof = new Map<Cid, Buffer>()
  const proofSource: NodeSource = { node: (cid) => sealed.nodes.get(cid) ?? source.node(cid) }
  const seen = new Set<Cid>()
  for (const { key } of folded) {
    coverKey(proofSource, sealed.root, key, seen, (cid, node) => {
      if (!sealed.created.has(cid)) proof.set(cid, encodeNode(node))
    })
  }
  return { ...sealed, proof }
}

/**
 * The root of the tree before `ops`, computed from the tree after them and from no more of it than
 * `created` and `proof` of `applyOps`. The blocks are untrusted: each node that is used is checked
 * to be of the layer and in the order that its place requires. The ops are a set, applied in
 * whatever order lets the blocks suffice; several on one key are listed in the order they applied.
 * @throws OpError when the tree does not hold an op's `value`, MissingNodeError when the blocks do
 * not suffice, InvalidNodeError when they are not a tree, InvalidKeyError
 */
export function invertOps(source: NodeSource, root: Cid, ops: readonly Op[]): Cid {
  const folded = foldOps(ops)
  const draft = new DraftTree(source, root, true)
  // Putting back what was deleted comes first: splitting takes only nodes around the key, while
  // removing first could join or trim away nodes beyond those that were sent.
  for (const op of folded) if (op.value === null) draft.change(op, null, op.prev)
  for (const op of folded) if (op.value !== null) draft.change(op, op.value, op.prev)
  return draft.seal().root
}

/** A subtree that is unchanged, one that is being changed, or none. */
type Subtree = Cid | Draft | null

/**
 * A node in the making. Its entries are shared with the node it was copied from, so they are
 * replaced, not altered.
 */
interface Draft {
  left: Subtree
  entries: DraftEntry[]
}

interface DraftEntry {
  key: string
  value: Cid
  right: Subtree
}

/**
 * A tree being changed. Every way into it counts layers down and ends below layer 0, whatever the
 * blocks say.
 */
class DraftTree {
  readonly #source: NodeSource
  /** Whether nodes come from outside: they may be missing or lie about their place. */
  readonly #foreign: boolean
  #root: Subtree
  /** The layer of the root. */
  #layer = 0
  /** Nodes of the old tree that were copied into drafts. */
  readonly #replaced = new Set<Cid>()

  constructor(source: NodeSource, root: Cid, foreign: boolean) {
    this.#source = source
    this.#foreign = foreign
    if (root === EMPTY_ROOT) {
      this.#root = null
      this.#replaced.add(root)
    } else {
      this.#root = root
      this.#layer = rootLayer(source.node(root))
    }
  }

  /** Makes the value of the op's key `to` where it was `from`; null is no value. */
  change(op: Op, from: Cid | null, to: Cid | null): void {
    if (from === to) {
      if (this.#find(op.key) !== from) throw new OpError(op, 'the tree holds something else')
      return
    }
    const layer = layerOf(op.key)
    if (this.#root === null) this.#layer = layer
    for (; this.#layer < layer; this.#layer++) this.#root = { left: this.#root, entries: [] }
    this.#root = this.#edit(this.#root, this.#layer, op.key, layer, (node, i) => {
      const entry = node.entries[i]
      const held = entry?.key === op.key ? entry : null
      if ((held?.value ?? null) !== from) throw new OpError(op, 'the tree holds something else')
      if (to === null) {
        const joined = this.#join(childAt(node, i), childAt(node, i + 1), layer - 1)
        node.entries.splice(i, 1)
        setChild(node, i, joined)
      } else if (held === null) {
        const [before, after] = this.#split(childAt(node, i), layer - 1, op.key)
        node.entries.splice(i, 0, { key: op.key, value: to, right: after })
        setChild(node, i, before)
      } else {
        node.entries[i] = { key: op.key, value: to, right: held.right }
      }
    })
  }

  /**
   * Encodes and hashes what has changed.
   * @throws InvalidNodeError when keys of the nodes that changed are not in order across nodes
   */
  seal(): Omit<Applied, 'proof'> {
    this.#trim()
    const created = new Map<Cid, Buffer>()
    const nodes = new Map<Cid, Node>()
    const removed = new Set(this.#replaced)
    let previous = ''
    const sealed = (tree: Subtree): Cid | null => {
      if (tree === null || typeof tree === 'string') return tree
      tree.left = sealed(tree.left)
      for (const entry of tree.entries) {
        if (entry.key <= previous) throw new InvalidNodeError(`keys out of order: ${previous}, ${entry.key}`)
        previous = entry.key
        if (typeof entry.right === 'object') entry.right = sealed(entry.right)
      }
      const node = tree as Node
      const block = encodeNode(node)
      const cid = cidForCbor(block)
      // A node that was changed and changed back is neither new nor gone.
      if (!removed.delete(cid)) {
        created.set(cid, block)
        nodes.set(cid, node)
      }
      return cid
    }
    const root = sealed(this.#root ?? { left: null, entries: [] }) as Cid
    return { root, created, nodes, removed: [...removed] }
  }

  #find(key: string): Cid | null {
    let tree = this.#root
    for (let layer = this.#layer; tree !== null; layer--) {
      const node: Draft = this.#peek(tree, layer)
      const i = position(node, key)
      const entry = node.entries[i]
      if (entry?.key === key) return entry.value
      tree = childAt(node, i)
    }
    return null
  }

  /**
   * Drafts the way to where `key` belongs, has `edit` change the node there, and drops what this
   * left empty.
   */
  #edit(
    tree: Subtree,
    layer: number,
    key: string,
    keyLayer: number,
    edit: (node: Draft, i: number) => void,
  ): Draft | null {
    const node = tree === null ? { left: null, entries: [] } : this.#draft(tree, layer)
    const i = position(node, key)
    if (layer === keyLayer) edit(node, i)
    else setChild(node, i, this.#edit(childAt(node, i), layer - 1, key, keyLayer, edit))
    return node.left === null && node.entries.length === 0 ? null : node
  }

  /**
   * The parts of a subtree before and after a key that it does not hold. A subtree all on one side
   * stays as it is.
   */
  #split(tree: Subtree, layer: number, key: string): [Subtree, Subtree] {
    if (tree === null) return [null, null]
    const node = this.#peek(tree, layer)
    const i = position(node, key)
    const [before, after] = this.#split(childAt(node, i), layer - 1, key)
    if (i === 0 && before === null) return [null, tree]
    if (i === node.entries.length && after === null) return [tree, null]
    const lower = this.#draft(tree, layer)
    const upper = { left: after, entries: lower.entries.splice(i) }
    setChild(lower, i, before)
    return [lower, upper]
  }

  /** One subtree of two, all keys of the first being before those of the second. */
  #join(before: Subtree, after: Subtree, layer: number): Subtree {
    if (before === null) return after
    if (after === null) return before
    const lower = this.#draft(before, layer)
    const upper = this.#draft(after, layer)
    const end = lower.entries.length
    const middle = this.#join(childAt(lower, end), upper.left, layer - 1)
    lower.entries = lower.entries.concat(upper.entries)
    setChild(lower, end, middle)
    return lower
  }

  /** Drops nodes above the highest key. */
  #trim(): void {
    while (this.#root !== null) {
      let node: Draft
      try {
        node = this.#peek(this.#root, this.#layer)
      } catch (error) {
        // Of a foreign tree the blocks may end here: then the caller, who knows the old root, sees
        // whether this is it.
        if (this.#foreign && error instanceof MissingNodeError) return
        throw error
      }
      if (node.entries.length > 0) return
      if (typeof this.#root === 'string') this.#replaced.add(this.#root)
      this.#root = node.left
      this.#layer--
    }
  }

  /** A subtree's top node, to be changed. */
  #draft(tree: Cid | Draft, layer: number): Draft {
    if (typeof tree !== 'string') return tree
    const node = this.#load(tree, layer)
    this.#replaced.add(tree)
    return { left: node.left, entries: node.entries.slice() }
  }

  /** A subtree's top node, to be read. */
  #peek(tree: Cid | Draft, layer: number): Draft {
    return typeof tree === 'string' ? this.#load(tree, layer) : tree
  }

  #load(cid: Cid, layer: number): Node {
    if (layer < 0) throw new InvalidNodeError('a subtree below layer 0')
    const node = this.#source.node(cid)
    if (this.#foreign) {
      if (node.left === null && node.entries.length === 0)
        throw new InvalidNodeError('an empty node inside a tree')
      for (const { key } of node.entries) {
        if (layerOf(key) !== layer) throw new InvalidNodeError(`a key on a layer that is not its own: ${key}`)
      }
    }
    return node
  }
}

function setChild(node: Draft, i: number, child: Subtree): void {
  if (i === 0) {
    node.left = child
    return
  }
  const { key, value, right } = node.entries[i - 1]!
  if (right !== child) node.entries[i - 1] = { key, value, right: child }
}
