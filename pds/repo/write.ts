/**
 * The one write path of repositories. Creating, putting, deleting and applying writes, and making a
 * repository, are callers.
 *
 * Inside one transaction: the head is read, records are written, the tree gets its new root, a
 * commit is signed, and head, nodes and firehose event are stored. What can be done outside
 * (checking and encoding records) was done by `prepare.ts`.
 */

import { DomainError } from '#platform/errors.ts'
import type { Tx } from '#platform/sqlite.ts'
import { writeCar } from '#protocol/car.ts'
import type { Cid } from '#protocol/cid.ts'
import { signCommit } from '#protocol/commit.ts'
import type { RepoOp } from '#protocol/frame.ts'
import type { SigningKey } from '#protocol/keys.ts'
import { EMPTY_ROOT, encodeNode, nodesOf } from '#protocol/mst/node.ts'
import { netOps, type Op } from '#protocol/mst/ops.ts'
import { applyOps, invertOps } from '#protocol/mst/tree.ts'
import { TidClock } from '#protocol/tid.ts'
import type { Firehose } from '../firehose/firehose.ts'
import type { RepoHead } from '../store/repos.ts'
import type { Store } from '../store/store.ts'
import { Change, type Write } from './change.ts'
import { type RepoOwner, repoInactive, repoNotFound, SwapMismatchError } from './errors.ts'
import type { Exports } from './export.ts'
import type { SigningKeys } from './keys/signing-keys.ts'
import type { NodeCache } from './node-cache.ts'

/** The commit that writes made. */
export interface CommitRef {
  readonly cid: Cid
  readonly rev: string
}

/** Writes that one commit may hold. https://atproto.com/specs/repository */
export const WRITES_MAX = 200
/** Blocks of one commit in bytes, as the firehose allows. */
const COMMIT_BYTES_MAX = 2_000_000

interface Deps {
  readonly store: Store
  readonly firehose: Firehose
  readonly keys: SigningKeys
  readonly nodes: NodeCache
  readonly exports: Exports
}

export class RepoWriter {
  readonly #deps: Deps
  readonly #clock = new TidClock()

  constructor(deps: Deps) {
    this.#deps = deps
  }

  /**
   * Applies writes in their order, as one commit; resolves once it is durable. Null when nothing
   * was to be done: a put of what is there already, a delete (with `ifThere`) of what is not.
   * @throws DomainError, SwapMismatchError, DomainError; then nothing was written
   */
  write(owner: RepoOwner, writes: readonly Write[], swapCommit?: Cid): Promise<CommitRef | null> {
    return this.#deps.store.db.write((tx) => this.#apply(tx, owner, writes, swapCommit))
  }

  /**
   * Creates an account's empty repository. Runs in the account's transaction, and so with the key
   * at hand: if that fails, the next account may get the same id, and must not find this one's key.
   * @param handle for the events of the new account; null for one that is not active yet, which
   * emits none
   */
  create(tx: Tx, owner: RepoOwner, handle: string | null, key: SigningKey): CommitRef {
    const rev = this.#clock.next()
    const commit = signCommit({ did: owner.did, data: EMPTY_ROOT, rev, prev: null }, key)
    const emptyNode = encodeNode({ left: null, entries: [] })
    this.#deps.store.repos.setHead(tx, owner.id, {
      commit: commit.cid,
      rev,
      data: EMPTY_ROOT,
      commitBlock: commit.block,
    })
    this.#deps.store.repos.insertNode(tx, owner.id, EMPTY_ROOT, rev, emptyNode)
    const { did } = owner
    if (handle === null) return { cid: commit.cid, rev }
    this.#deps.firehose.append(tx, owner.id, { kind: 'identity', did, handle })
    this.#deps.firehose.append(tx, owner.id, { kind: 'account', did, active: true })
    this.#deps.firehose.append(tx, owner.id, {
      kind: 'commit',
      repo: did,
      commit: commit.cid,
      rev,
      since: null,
      blocks: writeCar(commit.cid, [
        [commit.cid, commit.block],
        [EMPTY_ROOT, emptyNode],
      ]),
      ops: [],
      blobs: [],
      rebase: false,
      tooBig: false,
    })
    this.appendSync(tx, owner)
    return { cid: commit.cid, rev }
  }

  /** Emits #sync for the current head. */
  appendSync(tx: Tx, { id, did }: RepoOwner): void {
    const head = this.#deps.store.repos.head(id)
    if (head === undefined) throw repoNotFound(did)
    const { commit, commitBlock, rev } = head
    const blocks = writeCar(commit, [[commit, commitBlock]])
    this.#deps.firehose.append(tx, id, { kind: 'sync', did, rev, blocks })
  }

  #apply(tx: Tx, owner: RepoOwner, writes: readonly Write[], swapCommit: Cid | undefined): CommitRef | null {
    const head = this.#deps.store.repos.head(owner.id)
    if (head === undefined) throw repoNotFound(owner.did)
    this.#assertActive(owner)
    if (writes.length > WRITES_MAX) throw new DomainError('invalid', `Too many writes. Max: ${WRITES_MAX}`)
    const change = new Change(
      this.#deps.store,
      tx,
      owner,
      this.#clock.next(head.rev),
      this.#deps.exports.isRunning(head.id) ? head.id : undefined,
      writes,
    )
    if (swapCommit !== undefined && swapCommit !== head.commit) {
      // Who wants what is so already gets it, wherever the repository is.
      if (writes.length > 0 && writes.every((write) => change.isDone(write))) return null
      throw new SwapMismatchError('Commit', head.commit)
    }
    for (const write of writes) change.apply(write)
    // A call without writes still makes a commit, as in `@atproto/pds`; a no-op write does not.
    if (change.ops.length === 0 && writes.length > 0) return null
    return this.#commit(tx, owner, head, change)
  }

  /**
   * The account may have been taken down or deactivated since the request was authorized: its
   * commits would have no event.
   */
  #assertActive(owner: RepoOwner): void {
    const account = this.#deps.store.accounts.byDid(owner.did)
    if (account === undefined) throw repoNotFound(owner.did)
    if (account.takedownRef !== null) throw repoInactive('AccountTakedown')
    if (account.deactivatedAt !== null) throw repoInactive('AccountDeactivated')
  }

  #commit(tx: Tx, owner: RepoOwner, head: RepoHead, { ops, rev, records, retiresFrom }: Change): CommitRef {
    const { repos } = this.#deps.store
    const treeOps: Op[] = ops.map(({ path, cid, prev }) => ({ key: path, value: cid, prev: prev ?? null }))
    const tree = applyOps(this.#deps.nodes.of(owner.id), head.data, treeOps)
    const commit = signCommit(
      { did: owner.did, data: tree.root, rev, prev: null },
      this.#deps.keys.of(owner.id),
    )
    const blocks = new Map<Cid, Uint8Array>([
      [commit.cid, commit.block],
      ...tree.created,
      ...tree.proof,
      ...records,
    ])
    assertInverts(blocks, tree.root, treeOps, head.data)
    let bytes = 0
    for (const block of blocks.values()) bytes += block.length
    if (bytes > COMMIT_BYTES_MAX) throw new DomainError('invalid', 'Too many writes. Max event size: 2MB')

    for (const cid of tree.removed) {
      if (retiresFrom !== undefined) {
        const node = repos.node(owner.id, cid)
        if (node !== undefined) repos.retire(tx, retiresFrom, cid, node.rev, node.block)
      }
      repos.deleteNode(tx, owner.id, cid)
    }
    for (const [cid, block] of tree.created) {
      repos.insertNode(tx, owner.id, cid, rev, block)
    }
    for (const [cid, node] of tree.nodes) this.#deps.nodes.put(cid, node)
    repos.setHead(tx, owner.id, { commit: commit.cid, rev, data: tree.root, commitBlock: commit.block })
    this.#deps.firehose.append(tx, owner.id, {
      kind: 'commit',
      repo: owner.did,
      commit: commit.cid,
      rev,
      since: head.rev,
      prevData: head.data,
      blocks: writeCar(commit.cid, blocks),
      ops: onePerKey(ops, treeOps),
      blobs: [],
      rebase: false,
      tooBig: false,
    })
    return { cid: commit.cid, rev }
  }
}

/**
 * The operations as the event lists them: one per key. Several on one key are merged, because a
 * consumer compares each with the resulting tree.
 */
function onePerKey(ops: RepoOp[], treeOps: readonly Op[]): RepoOp[] {
  if (new Set(ops.map((op) => op.path)).size === ops.length) return ops
  return netOps(treeOps).map(({ key: path, value: cid, prev }) => {
    if (prev === null) return { action: 'create', path, cid }
    return cid === null ? { action: 'delete', path, cid, prev } : { action: 'update', path, cid, prev }
  })
}

/**
 * What a consumer of the firehose will do with this commit: undo its operations over its own
 * blocks.
 */
function assertInverts(blocks: Map<Cid, Uint8Array>, root: Cid, ops: readonly Op[], previous: Cid): void {
  const before = ops.length === 0 ? root : invertOps(nodesOf(blocks), root, [...ops])
  if (before !== previous) throw new Error('a commit does not invert to its predecessor')
}
