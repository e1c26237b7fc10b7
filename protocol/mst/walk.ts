/**
 * Going through a tree in the order of its keys: lazily, with one node for each layer in memory,
 * loading no subtree that is not asked for.
 *
 * A tree from elsewhere may be walked: a walk ends, and its keys ascend. That each key is on its
 * own layer is not looked at; building a tree of the entries (`build.ts`) and comparing roots shows
 * that.
 */
import type { Cid } from '../cid.ts'
import {
  childAt,
  type Entry,
  InvalidNodeError,
  type Node,
  type NodeSource,
  position,
  rootLayer,
} from './node.ts'

/**
 * The entries of a tree in ascending order of their keys.
 * @param range `after`: only keys greater than it; `prefix`: only keys that start with it
 * @throws MissingNodeError, InvalidNodeError
 */
export function* entries(
  source: NodeSource,
  root: Cid,
  { after, prefix = '' }: { after?: string; prefix?: string } = {},
): Generator<{ readonly key: string; readonly value: Cid }> {
  const afterwards = after === undefined ? '' : `${after}\0`
  const from = afterwards > prefix ? afterwards : prefix
  const cursor = new Cursor(source, root)
  while (cursor.at !== null) {
    if (typeof cursor.at === 'string') {
      cursor.enter(from)
    } else {
      if (!cursor.at.key.startsWith(prefix)) return
      yield cursor.at
      cursor.next()
    }
  }
}

/**
 * The nodes of a tree, each before those below it and these from left to right.
 * @throws MissingNodeError, InvalidNodeError
 */
export function* nodes(source: NodeSource, root: Cid): Generator<{ cid: Cid; node: Node }> {
  const cursor = new Cursor(source, root)
  while (cursor.at !== null) {
    if (typeof cursor.at === 'string') {
      const cid = cursor.at
      yield { cid, node: cursor.enter() }
    } else {
      cursor.next()
    }
  }
}

/** A position in a tree: before a subtree, to enter or skip; at an entry; or past the end. */
export class Cursor {
  readonly #source: NodeSource
  readonly #top: number
  /**
   * The nodes entered, and the place in each: 2i before the child at i, 2i + 1 at the entry at i.
   */
  readonly #entered: { node: Node; place: number }[] = []
  #lastKey = ''
  /** The subtree or the entry that comes next, null at the end. */
  at: Cid | Entry | null

  /** A cursor before the whole tree; a root that is null is a tree without anything. */
  constructor(source: NodeSource, root: Cid | null) {
    this.#source = source
    this.#top = root === null ? 0 : rootLayer(source.node(root))
    this.at = root
  }

  /** The layer of the subtree that the cursor is before. */
  get layer(): number {
    return this.#top - this.#entered.length
  }

  /**
   * Goes into the subtree here, past its keys less than `from` and the subtrees that hold only
   * such. Gives its top node.
   */
  enter(from = ''): Node {
    const node = this.#source.node(this.at as Cid)
    if (this.layer < 0) throw new InvalidNodeError('a subtree below layer 0')
    if (this.#entered.length > 0 && node.left === null && node.entries.length === 0) {
      throw new InvalidNodeError('an empty node inside a tree')
    }
    const i = position(node, from)
    this.#entered.push({ node, place: node.entries[i]?.key === from ? 2 * i : 2 * i - 1 })
    this.next()
    return node
  }

  /** Goes past the entry or the subtree here. */
  next(): void {
    for (let frame = this.#entered.at(-1); frame !== undefined; frame = this.#entered.at(-1)) {
      const { node } = frame
      const place = ++frame.place
      if (place > 2 * node.entries.length) {
        this.#entered.pop()
      } else if (place % 2 === 1) {
        const entry = node.entries[place >> 1]!
        if (entry.key <= this.#lastKey)
          throw new InvalidNodeError(`keys out of order: ${this.#lastKey}, ${entry.key}`)
        this.#lastKey = entry.key
        this.at = entry
        return
      } else {
        const child = childAt(node, place >> 1)
        if (child === null) continue
        this.at = child
        return
      }
    }
    this.at = null
  }
}
