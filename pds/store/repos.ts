/**
 * Repositories: the head of each, the nodes of its tree, and blocks kept for exports that are under
 * way.
 */

import type { Args, Sqlite, Tx } from '#platform/sqlite.ts'
import { type Cid, cidFromBytes, cidToBytes } from '#protocol/cid.ts'
import { repoOf, type Schema } from './schema.ts'

/** Where a repository stands. */
export interface RepoHead {
  /**
   * The repository's id: its nodes, records and references lie under it. Another one after an
   * import.
   */
  readonly id: number
  readonly commit: Cid
  readonly rev: string
  /** The root of the tree. */
  readonly data: Cid
  readonly commitBlock: Buffer
}

export class RepoStore {
  readonly #head
  readonly #putHead
  readonly #deleteHead
  readonly #node
  readonly #countNodes
  readonly #insertNode
  readonly #deleteNode
  readonly #retire
  readonly #dropRetired
  readonly #dropAllRetired

  constructor(db: Sqlite<Schema>) {
    this.#head = db.prepare((q, arg: Args<{ account: number }>) =>
      q
        .selectFrom('repo')
        .select(['id', 'commit', 'rev', 'data', 'commitBlock'])
        .where('account', '=', arg.account),
    )
    this.#putHead = db.prepare((q, arg: Args<Omit<Schema['repo'], 'id'>>) => {
      const head = { commit: arg.commit, rev: arg.rev, data: arg.data, commitBlock: arg.commitBlock }
      return q
        .insertInto('repo')
        .values({ ...head, account: arg.account, id: arg.account })
        .onConflict((conflict) => conflict.column('account').doUpdateSet(head))
    })
    this.#deleteHead = db.prepare((q, arg: Args<{ account: number }>) =>
      q.deleteFrom('repo').where('account', '=', arg.account),
    )
    this.#node = db.prepare((q, arg: Args<{ account: number; cid: Buffer }>) =>
      q
        .selectFrom('node')
        .select(['block', 'rev'])
        .where('repo', '=', repoOf(q, arg.account))
        .where('cid', '=', arg.cid),
    )
    this.#countNodes = db.prepare((q, arg: Args<{ account: number }>) =>
      q
        .selectFrom('node')
        .select((e) => e.fn.countAll<number>().as('count'))
        .where('repo', '=', repoOf(q, arg.account)),
    )
    this.#insertNode = db.prepare(
      (q, arg: Args<{ account: number; cid: Buffer; rev: string; block: Buffer }>) =>
        q
          .insertInto('node')
          .values({ repo: repoOf(q, arg.account), cid: arg.cid, rev: arg.rev, block: arg.block }),
    )
    this.#deleteNode = db.prepare((q, arg: Args<{ account: number; cid: Buffer }>) =>
      q.deleteFrom('node').where('repo', '=', repoOf(q, arg.account)).where('cid', '=', arg.cid),
    )
    this.#retire = db.prepare((q, arg: Args<{ repo: number; cid: Buffer; rev: string; block: Buffer }>) =>
      q.insertInto('retired_block').values({ repo: arg.repo, cid: arg.cid, rev: arg.rev, block: arg.block }),
    )
    this.#dropRetired = db.prepare((q, arg: Args<{ repo: number }>) =>
      q.deleteFrom('retired_block').where('repo', '=', arg.repo),
    )
    this.#dropAllRetired = db.prepare((q) => q.deleteFrom('retired_block'))
  }

  head(account: number): RepoHead | undefined {
    const row = this.#head.get({ account })
    return row && { ...row, commit: cidFromBytes(row.commit), data: cidFromBytes(row.data) }
  }

  /** A node of the present tree, and the revision that made it. */
  node(account: number, cid: Cid): { readonly block: Buffer; readonly rev: string } | undefined {
    return this.#node.get({ account, cid: cidToBytes(cid) })
  }

  /** How many nodes the present tree has. */
  countNodes(account: number): number {
    return this.#countNodes.get({ account })?.count ?? 0
  }

  /**
   * Moves an account's repository to another commit; the first one makes the repository, with the
   * id of its account.
   */
  setHead(_tx: Tx, account: number, head: Omit<RepoHead, 'id'>): void {
    this.#putHead.run({ ...head, account, commit: cidToBytes(head.commit), data: cidToBytes(head.data) })
  }

  /** After it the account has no repository; its rows are left to `ImportStore.abandon`. */
  deleteHead(_tx: Tx, account: number): void {
    this.#deleteHead.run({ account })
  }

  insertNode(_tx: Tx, account: number, cid: Cid, rev: string, block: Buffer): void {
    this.#insertNode.run({ account, cid: cidToBytes(cid), rev, block })
  }

  deleteNode(_tx: Tx, account: number, cid: Cid): void {
    const deleted = this.#deleteNode.run({ account, cid: cidToBytes(cid) })
    if (deleted !== 1) throw new Error(`a replaced tree node of account ${account} was not in the store`)
  }

  /** Keeps a block that leaves the repository, for the exports of it that are under way. */
  retire(_tx: Tx, repo: number, cid: Cid, rev: string, block: Buffer): void {
    this.#retire.run({ repo, cid: cidToBytes(cid), rev, block })
  }

  dropRetired(_tx: Tx, repo: number): void {
    this.#dropRetired.run({ repo })
  }

  /** At start no export is under way. */
  dropAllRetired(_tx: Tx): void {
    this.#dropAllRetired.run({})
  }
}
