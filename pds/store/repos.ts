/** Repositories: the head of each, the nodes of its tree, and blocks kept for exports that are under way. */

import type { Args, Sqlite, Tx } from '#platform/sqlite.ts'
import { type Cid, cidFromBytes, cidToBytes } from '#protocol/cid.ts'
import type { Schema } from './schema.ts'

/** Where a repository stands. */
export interface RepoHead {
  readonly commit: Cid
  readonly rev: string
  /** The root of the tree. */
  readonly data: Cid
  readonly commitBlock: Buffer
}

export class RepoStore {
  readonly #head
  readonly #putHead
  readonly #node
  readonly #insertNode
  readonly #deleteNode
  readonly #retire
  readonly #dropRetired
  readonly #dropAllRetired

  constructor(db: Sqlite<Schema>) {
    this.#head = db.prepare((q, arg: Args<{ account: number }>) =>
      q
        .selectFrom('repo')
        .select(['commit', 'rev', 'data', 'commitBlock'])
        .where('account', '=', arg.account),
    )
    this.#putHead = db.prepare((q, arg: Args<Schema['repo']>) =>
      q.replaceInto('repo').values({
        account: arg.account,
        commit: arg.commit,
        rev: arg.rev,
        data: arg.data,
        commitBlock: arg.commitBlock,
      }),
    )
    this.#node = db.prepare((q, arg: Args<{ account: number; cid: Buffer }>) =>
      q
        .selectFrom('node')
        .select(['block', 'rev'])
        .where('account', '=', arg.account)
        .where('cid', '=', arg.cid),
    )
    this.#insertNode = db.prepare(
      (q, arg: Args<{ account: number; cid: Buffer; rev: string; block: Buffer }>) =>
        q.insertInto('node').values({ account: arg.account, cid: arg.cid, rev: arg.rev, block: arg.block }),
    )
    this.#deleteNode = db.prepare((q, arg: Args<{ account: number; cid: Buffer }>) =>
      q.deleteFrom('node').where('account', '=', arg.account).where('cid', '=', arg.cid),
    )
    this.#retire = db.prepare((q, arg: Args<{ account: number; cid: Buffer; rev: string; block: Buffer }>) =>
      q
        .insertInto('retired_block')
        .values({ account: arg.account, cid: arg.cid, rev: arg.rev, block: arg.block }),
    )
    this.#dropRetired = db.prepare((q, arg: Args<{ account: number }>) =>
      q.deleteFrom('retired_block').where('account', '=', arg.account),
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

  setHead(_tx: Tx, account: number, head: RepoHead): void {
    this.#putHead.run({ ...head, account, commit: cidToBytes(head.commit), data: cidToBytes(head.data) })
  }

  insertNode(_tx: Tx, account: number, cid: Cid, rev: string, block: Buffer): void {
    this.#insertNode.run({ account, cid: cidToBytes(cid), rev, block })
  }

  deleteNode(_tx: Tx, account: number, cid: Cid): void {
    const deleted = this.#deleteNode.run({ account, cid: cidToBytes(cid) })
    if (deleted !== 1) throw new Error(`a replaced tree node of account ${account} was not in the store`)
  }

  /** Keeps a block that leaves the repository, for the exports of it that are under way. */
  retire(_tx: Tx, account: number, cid: Cid, rev: string, block: Buffer): void {
    this.#retire.run({ account, cid: cidToBytes(cid), rev, block })
  }

  dropRetired(_tx: Tx, account: number): void {
    this.#dropRetired.run({ account })
  }

  /** At start no export is under way. */
  dropAllRetired(_tx: Tx): void {
    this.#dropAllRetired.run({})
  }
}

/** Where an export stands: what it has read of one table. */
export interface PageOptions {
  readonly account: number
  /** Blocks of this revision and before. */
  readonly rev: string
  /** Blocks after this revision; an empty text for all. */
  readonly since: string
  /** The page ends with the block that reaches this size. */
  readonly bytesMax: number
}

/** The blocks of one repository in pages, so that an export holds no transaction while its client is slow. */
export class RepoPages {
  readonly #nodes
  readonly #records
  readonly #retired

  constructor(db: Sqlite<Schema>) {
    type Page = { account: number; rev: string; since: string }
    this.#nodes = db.prepare((q, arg: Args<Page & { after: Buffer }>) =>
      q
        .selectFrom('node')
        .select(['cid', 'block'])
        .where('account', '=', arg.account)
        .where('cid', '>', arg.after)
        .where('rev', '<=', arg.rev)
        .where('rev', '>', arg.since)
        .orderBy('cid'),
    )
    this.#records = db.prepare((q, arg: Args<Page & { collection: string; rkey: string }>) =>
      q
        .selectFrom('record')
        .select(['collection', 'rkey', 'cid', 'block'])
        .where('account', '=', arg.account)
        .where((e) => e(e.refTuple('collection', 'rkey'), '>', e.tuple(arg.collection, arg.rkey)))
        .where('rev', '<=', arg.rev)
        .where('rev', '>', arg.since)
        .orderBy('collection')
        .orderBy('rkey'),
    )
    this.#retired = db.prepare((q, arg: Args<Page & { after: number }>) =>
      q
        .selectFrom('retired_block')
        .select(['id', 'cid', 'block'])
        .where('account', '=', arg.account)
        .where('id', '>', arg.after)
        .where('rev', '<=', arg.rev)
        .where('rev', '>', arg.since)
        .orderBy('id'),
    )
  }

  /** Nodes in the order of their CIDs, after the given CID (an empty text to begin). */
  nodes(options: PageOptions, after: string) {
    return upTo(options.bytesMax, this.#nodes.iterate({ ...options, after: Buffer.from(after, 'latin1') }))
  }

  /** Records in the order of their paths, after the given one (empty texts to begin). */
  records(options: PageOptions, after: { collection: string; rkey: string }) {
    return upTo(options.bytesMax, this.#records.iterate({ ...options, ...after }))
  }

  /** Blocks that left the repository during the export, after the given id (0 to begin). */
  retired(options: PageOptions, after: number) {
    return upTo(options.bytesMax, this.#retired.iterate({ ...options, after }))
  }
}

function upTo<R extends { cid: Buffer; block: Buffer }>(bytesMax: number, rows: Iterable<R>) {
  const page: (Omit<R, 'cid'> & { cid: Cid })[] = []
  let bytes = 0
  for (const row of rows) {
    page.push({ ...row, cid: cidFromBytes(row.cid) })
    bytes += row.block.length
    if (bytes >= bytesMax) break
  }
  return page
}
