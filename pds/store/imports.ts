/**
 * Repositories that are not visible: those that an import is filling, and orphaned ones that are
 * due for deletion.
 *
 * A repository is orphaned from its first row until the transaction that gives it to its account;
 * from then on, the one that it replaces is orphaned. However the process ends, an orphaned
 * repository without a running import is a leftover: there is no other state.
 */
import type { Args, Sqlite, Tx } from '#platform/sqlite.ts'
import { type Cid, cidToBytes } from '#protocol/cid.ts'
import type { NewRecord } from './records.ts'
import type { RepoHead } from './repos.ts'
import type { Schema } from './schema.ts'

export class ImportStore {
  readonly #loosen
  readonly #bind
  readonly #loose
  readonly #insertNode
  readonly #insertRecord
  readonly #insertReference
  readonly #replace
  readonly #keepTakedowns
  readonly #clears

  constructor(db: Sqlite<Schema>) {
    this.#loosen = db.prepare((q, arg: Args<{ id: number | null }>) =>
      q.insertInto('loose_repo').values({ id: arg.id as unknown as number }),
    )
    this.#bind = db.prepare((q, arg: Args<{ id: number }>) =>
      q.deleteFrom('loose_repo').where('id', '=', arg.id),
    )
    this.#loose = db.prepare((q) => q.selectFrom('loose_repo').select('id').orderBy('id'))
    this.#insertNode = db.prepare((q, arg: Args<Omit<Schema['node'], 'id'>>) =>
      q.insertInto('node').values({ repo: arg.repo, cid: arg.cid, rev: arg.rev, block: arg.block }),
    )
    this.#insertRecord = db.prepare((q, arg: Args<Omit<Schema['record'], 'id' | 'takedownRef'>>) =>
      q.insertInto('record').values({
        repo: arg.repo,
        collection: arg.collection,
        rkey: arg.rkey,
        cid: arg.cid,
        rev: arg.rev,
        subject: arg.subject,
        block: arg.block,
      }),
    )
    this.#insertReference = db.prepare((q, arg: Args<Schema['record_blob']>) =>
      q
        .insertInto('record_blob')
        .values({ repo: arg.repo, cid: arg.cid, record: arg.record, rev: arg.rev })
        .onConflict((conflict) => conflict.doNothing()),
    )
    this.#replace = db.prepare((q, arg: Args<Schema['repo']>) =>
      q
        .updateTable('repo')
        .set({
          id: arg.id,
          commit: arg.commit,
          rev: arg.rev,
          data: arg.data,
          commitBlock: arg.commitBlock,
        })
        .where('account', '=', arg.account),
    )
    this.#keepTakedowns = db.prepare((q, arg: Args<{ repo: number; replaced: number }>) =>
      q
        .updateTable('record')
        .from((e) =>
          e
            .selectFrom('record')
            .select(['collection', 'rkey', 'takedownRef'])
            .where('repo', '=', arg.replaced)
            .where('takedownRef', 'is not', null)
            .as('judged'),
        )
        .set((e) => ({ takedownRef: e.ref('judged.takedownRef') }))
        .where('record.repo', '=', arg.repo)
        .whereRef('record.collection', '=', 'judged.collection')
        .whereRef('record.rkey', '=', 'judged.rkey'),
    )
    type Step = { repo: number; limit: number }
    const clear = (table: 'record' | 'node' | 'retired_block') =>
      db.prepare((q, arg: Args<Step>) =>
        q
          .deleteFrom(table)
          .where('id', 'in', q.selectFrom(table).select('id').where('repo', '=', arg.repo).limit(arg.limit)),
      )
    const clearReferences = db.prepare((q, arg: Args<Step>) =>
      q
        .deleteFrom('record_blob')
        .where('repo', '=', arg.repo)
        .where(
          'cid',
          'in',
          q.selectFrom('record_blob').select('cid').where('repo', '=', arg.repo).limit(arg.limit),
        ),
    )
    this.#clears = [clearReferences, clear('record'), clear('node'), clear('retired_block')]
  }

  /** Creates a repository that is not visible. @returns its id */
  begin(_tx: Tx): number {
    return -this.#loosen.insert({ id: null })
  }

  addNode(_tx: Tx, repo: number, cid: Cid, rev: string, block: Buffer): void {
    this.#insertNode.run({ repo, rev, block, cid: cidToBytes(cid) })
  }

  /** @param blobs the blobs that the record refers to, whether they are here or not */
  addRecord(_tx: Tx, repo: number, rev: string, record: NewRecord, blobs: readonly Cid[]): void {
    const { collection, rkey, subject, block } = record
    const id = this.#insertRecord.insert({
      repo,
      rev,
      collection,
      rkey,
      subject,
      block,
      cid: cidToBytes(record.cid),
    })
    for (const cid of blobs) this.#insertReference.run({ repo, rev, record: id, cid: cidToBytes(cid) })
  }

  /**
   * Gives an account the orphaned repository `head.id` in place of the one with the id `replaced`,
   * which is orphaned from then on.
   */
  finish(_tx: Tx, account: number, head: RepoHead, replaced: number): void {
    if (this.#bind.run({ id: -head.id }) !== 1) throw new Error('the imported repository was not loose')
    const row = { ...head, account, commit: cidToBytes(head.commit), data: cidToBytes(head.data) }
    if (this.#replace.run(row) !== 1) throw new Error(`account ${account} has no repository to replace`)
    this.#keepTakedowns.run({ repo: head.id, replaced })
    this.#loosen.insert({ id: -replaced })
  }

  /** Leaves the repository of an account that is gone to be cleared away. */
  abandon(_tx: Tx, repo: number): void {
    this.#loosen.insert({ id: -repo })
  }

  /** The ids of the orphaned repositories, including those that an import is filling. */
  loose(): number[] {
    return this.#loose.all({}).map(({ id }) => -id)
  }

  /** Deletes up to `limit` rows of an orphaned repository. @returns whether none are left */
  clear(_tx: Tx, repo: number, limit: number): boolean {
    for (const clear of this.#clears) if (clear.run({ repo, limit }) > 0) return false
    this.#bind.run({ id: -repo })
    return true
  }
}
