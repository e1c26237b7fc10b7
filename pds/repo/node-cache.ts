/** Tree nodes in memory, decoded, across all accounts: they are named by their contents, so they never go stale. */
import { type Cid, isBlockOf } from '#protocol/cid.ts'
import { decodeNode, MissingNodeError, type Node, type NodeSource } from '#protocol/mst/node.ts'
import type { RepoStore } from '../store/repos.ts'

/** Nodes of one generation. A node takes about a kilobyte. */
const GENERATION_NODES_MAX = 50_000

/**
 * A cache of two generations: what is asked for moves into the young one; when that is full, it becomes the old one and the
 * old one is forgotten. That is nearly "least recently used", without a list to keep.
 */
export class NodeCache {
  readonly #store: RepoStore
  #young = new Map<Cid, Node>()
  #old = new Map<Cid, Node>()

  constructor(store: RepoStore) {
    this.#store = store
  }

  /** The nodes of an account's present tree. */
  of(account: number): NodeSource {
    return { node: (cid) => this.#young.get(cid) ?? this.#fromOld(cid) ?? this.#load(account, cid) }
  }

  put(cid: Cid, node: Node): void {
    if (this.#young.size >= GENERATION_NODES_MAX) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(cid, node)
  }

  #fromOld(cid: Cid): Node | undefined {
    const node = this.#old.get(cid)
    if (node !== undefined) this.put(cid, node)
    return node
  }

  #load(account: number, cid: Cid): Node {
    const row = this.#store.node(account, cid)
    if (row === undefined) throw new MissingNodeError(cid)
    if (!isBlockOf(cid, row.block))
      throw new Error(`a tree node of account ${account} is damaged in the store`)
    const node = decodeNode(row.block)
    this.put(cid, node)
    return node
  }
}
