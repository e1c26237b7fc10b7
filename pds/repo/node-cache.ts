/** Decoded tree nodes in memory, across all accounts. Content-addressed, so they never go stale. */
import { type Cid, isBlockOf } from '#protocol/cid.ts'
import { decodeNode, MissingNodeError, type Node, type NodeSource } from '#protocol/mst/node.ts'
import type { RepoStore } from '../store/repos.ts'

/** Nodes of one generation. A node takes about a kilobyte. */
const GENERATION_NODES_MAX = 50_000

/**
 * A cache of two generations: a lookup moves a node into the young one; when that is full, it
 * replaces the old one. This approximates "least recently used" without a list.
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
