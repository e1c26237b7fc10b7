/** What is known of blobs, and which records refer to them. Their bytes lie in the blob store. */

import type { Args, Sqlite, Tx } from '#platform/sqlite.ts'
import { type Cid, cidFromBytes, cidToBytes } from '#protocol/cid.ts'
import { repoOf, type Schema } from './schema.ts'

/** A blob that was received. */
export interface BlobRow {
  readonly mimeType: string
  /** Bytes. */
  readonly size: number
  readonly takedownRef: string | null
  /** When its bytes were found gone. */
  readonly lostAt: string | null
}

/** A blob that a record refers to, and what is known of it. */
export interface ReferencedBlob {
  readonly cid: Cid
  readonly collection: string
  readonly rkey: string
  /** Null when it was never received. */
  readonly size: number | null
  readonly takedownRef: string | null
  readonly lostAt: string | null
}

/** Where a walk through all blobs stands. */
export interface BlobPlace {
  readonly account: number
  readonly cid: Cid | ''
}

export class BlobStore {
  readonly #get
  readonly #isReferenced
  readonly #referrers
  readonly #list
  readonly #referenced
  readonly #setLost
  readonly #page
  readonly #some
  readonly #loose
  readonly #loosen
  readonly #bind
  readonly #delete
  readonly #put
  readonly #refer
  readonly #unrefer
  readonly #setTakedown
  readonly #counts

  constructor(db: Sqlite<Schema>) {
    this.#get = db.prepare((q, arg: Args<{ account: number; cid: Buffer }>) =>
      q
        .selectFrom('blob')
        .select(['mimeType', 'size', 'takedownRef', 'lostAt'])
        .where('account', '=', arg.account)
        .where('cid', '=', arg.cid),
    )
    this.#isReferenced = db.prepare((q, arg: Args<{ account: number; cid: Buffer }>) =>
      q
        .selectFrom('record_blob')
        .select('record')
        .where('repo', '=', repoOf(q, arg.account))
        .where('cid', '=', arg.cid)
        .limit(1),
    )
    this.#referrers = db.prepare((q, arg: Args<{ account: number; cid: Buffer; limit: number }>) =>
      q
        .selectFrom('record_blob')
        .innerJoin('record', 'record.id', 'record_blob.record')
        .select('record.block')
        .where('record_blob.repo', '=', repoOf(q, arg.account))
        .where('record_blob.cid', '=', arg.cid)
        .limit(arg.limit),
    )
    this.#list = db.prepare(
      (q, arg: Args<{ account: number; since: string; cursor: Buffer; limit: number }>) =>
        q
          .selectFrom('record_blob')
          .select('cid')
          .distinct()
          .where('repo', '=', repoOf(q, arg.account))
          .where('cid', '>', arg.cursor)
          .where('rev', '>', arg.since)
          .orderBy('cid')
          .limit(arg.limit),
    )
    this.#referenced = db.prepare((q, arg: Args<{ account: number; cursor: Buffer; limit: number }>) =>
      q
        .selectFrom('record_blob')
        .innerJoin('record', 'record.id', 'record_blob.record')
        .leftJoin('blob', (join) =>
          join.onRef('blob.cid', '=', 'record_blob.cid').on('blob.account', '=', arg.account),
        )
        .select([
          'record_blob.cid',
          'record.collection',
          'record.rkey',
          'blob.size',
          'blob.takedownRef',
          'blob.lostAt',
        ])
        .where('record_blob.repo', '=', repoOf(q, arg.account))
        .where('record_blob.cid', '>', arg.cursor)
        .groupBy('record_blob.cid')
        .orderBy('record_blob.cid')
        .limit(arg.limit),
    )
    this.#page = db.prepare((q, arg: Args<{ account: number; cid: Buffer; limit: number }>) =>
      q
        .selectFrom('blob')
        .innerJoin('account', 'account.id', 'blob.account')
        .select(['blob.account', 'account.did', 'blob.cid', 'blob.createdAt', 'blob.takedownRef'])
        .where((e) => e(e.refTuple('blob.account', 'blob.cid'), '>', e.tuple(arg.account, arg.cid)))
        .orderBy('blob.account')
        .orderBy('blob.cid')
        .limit(arg.limit),
    )
    this.#some = db.prepare((q, arg: Args<{ account: number; limit: number }>) =>
      q.selectFrom('blob').select('cid').where('account', '=', arg.account).limit(arg.limit),
    )
    this.#loose = db.prepare((q, arg: Args<{ did: string; cid: Buffer; limit: number }>) =>
      q
        .selectFrom('loose_blob')
        .select(['did', 'cid'])
        .where((e) => e(e.refTuple('did', 'cid'), '>', e.tuple(arg.did, arg.cid)))
        .orderBy('did')
        .orderBy('cid')
        .limit(arg.limit),
    )
    this.#loosen = db.prepare((q, arg: Args<Schema['loose_blob']>) =>
      q
        .insertInto('loose_blob')
        .values({ did: arg.did, cid: arg.cid })
        .onConflict((conflict) => conflict.doNothing()),
    )
    this.#bind = db.prepare((q, arg: Args<Schema['loose_blob']>) =>
      q.deleteFrom('loose_blob').where('did', '=', arg.did).where('cid', '=', arg.cid),
    )
    this.#delete = db.prepare((q, arg: Args<{ account: number; cid: Buffer }>) =>
      q.deleteFrom('blob').where('account', '=', arg.account).where('cid', '=', arg.cid),
    )
    this.#setLost = db.prepare((q, arg: Args<{ account: number; cid: Buffer; lostAt: string | null }>) =>
      q
        .updateTable('blob')
        .set({ lostAt: arg.lostAt })
        .where('account', '=', arg.account)
        .where('cid', '=', arg.cid),
    )
    this.#put = db.prepare((q, arg: Args<Omit<Schema['blob'], 'takedownRef' | 'lostAt'>>) =>
      q
        .insertInto('blob')
        .values({
          account: arg.account,
          cid: arg.cid,
          mimeType: arg.mimeType,
          size: arg.size,
          createdAt: arg.createdAt,
        })
        // Uploading the same bytes again restarts the lifetime of a temporary blob.
        .onConflict((conflict) =>
          conflict
            .columns(['account', 'cid'])
            .doUpdateSet({ mimeType: arg.mimeType, createdAt: arg.createdAt, lostAt: null }),
        ),
    )
    this.#refer = db.prepare((q, arg: Args<Omit<Schema['record_blob'], 'repo'> & { account: number }>) =>
      q
        .insertInto('record_blob')
        .values({ repo: repoOf(q, arg.account), cid: arg.cid, record: arg.record, rev: arg.rev })
        .onConflict((conflict) => conflict.doNothing()),
    )
    this.#unrefer = db.prepare((q, arg: Args<{ record: number }>) =>
      q.deleteFrom('record_blob').where('record', '=', arg.record),
    )
    this.#setTakedown = db.prepare(
      (q, arg: Args<{ account: number; cid: Buffer; takedownRef: string | null }>) =>
        q
          .updateTable('blob')
          .set({ takedownRef: arg.takedownRef })
          .where('account', '=', arg.account)
          .where('cid', '=', arg.cid),
    )
    this.#counts = db.prepare((q, arg: Args<{ account: number }>) =>
      q.selectNoFrom((e) => [
        e
          .selectFrom('record_blob')
          .innerJoin('blob', (join) =>
            join.onRef('blob.cid', '=', 'record_blob.cid').on('blob.account', '=', arg.account),
          )
          .select((e) => e.fn.count<number>('record_blob.cid').distinct().as('count'))
          .where('record_blob.repo', '=', repoOf(q, arg.account))
          // A taken down blob counts as received: it is not requested again.
          .where((e) => e.or([e('blob.lostAt', 'is', null), e('blob.takedownRef', 'is not', null)]))
          .$asScalar()
          .$notNull()
          .as('received'),
        e
          .selectFrom('record_blob')
          .select((e) => e.fn.count<number>('cid').distinct().as('count'))
          .where('repo', '=', repoOf(q, arg.account))
          .$asScalar()
          .$notNull()
          .as('referenced'),
      ]),
    )
  }

  get(account: number, cid: Cid): BlobRow | undefined {
    return this.#get.get({ account, cid: cidToBytes(cid) })
  }

  /** Whether a present record refers to the blob. */
  isReferenced(account: number, cid: Cid): boolean {
    return this.#isReferenced.get({ account, cid: cidToBytes(cid) }) !== undefined
  }

  /** The blocks of some present records that refer to the blob. */
  referrers(account: number, cid: Cid, limit: number): Buffer[] {
    return this.#referrers.all({ account, limit, cid: cidToBytes(cid) }).map(({ block }) => block)
  }

  /** The blobs that records of revisions after `since` refer to, in the order of their CIDs. */
  list(account: number, since: string, cursor: Cid | '', limit: number): Cid[] {
    return this.#list
      .all({ account, since, limit, cursor: Buffer.from(cursor, 'latin1') })
      .map((row) => cidFromBytes(row.cid))
  }

  /** Blobs that records refer to, in the order of their CIDs, each with one of those records. */
  referenced(account: number, cursor: Cid | '', limit: number): ReferencedBlob[] {
    return this.#referenced
      .all({ account, limit, cursor: Buffer.from(cursor, 'latin1') })
      .map((row) => ({ ...row, cid: cidFromBytes(row.cid) }))
  }

  /** Blobs of all accounts, in an order of their own, after the given one. */
  page(
    { account, cid }: BlobPlace,
    limit: number,
  ): {
    readonly account: number
    readonly did: string
    readonly cid: Cid
    readonly createdAt: string
    readonly takedownRef: string | null
  }[] {
    return this.#page
      .all({ account, limit, cid: Buffer.from(cid, 'latin1') })
      .map((row) => ({ ...row, cid: cidFromBytes(row.cid) }))
  }

  /** Some blobs of an account, whether records refer to them or not. */
  some(account: number, limit: number): Cid[] {
    return this.#some.all({ account, limit }).map(({ cid }) => cidFromBytes(cid))
  }

  delete(_tx: Tx, account: number, cid: Cid): void {
    this.#delete.run({ account, cid: cidToBytes(cid) })
  }

  /** Notes that the blob store may hold bytes without a blob's row. */
  loosen(_tx: Tx, did: string, cid: Cid): void {
    this.#loosen.run({ did, cid: cidToBytes(cid) })
  }

  /** Forgets that: there is a row, or there are no bytes. */
  bind(_tx: Tx, did: string, cid: Cid): void {
    this.#bind.run({ did, cid: cidToBytes(cid) })
  }

  /** What may lie in the blob store without a row, after the given place. */
  loose(after: { did: string; cid: Cid | '' }, limit: number): { readonly did: string; readonly cid: Cid }[] {
    return this.#loose
      .all({ limit, did: after.did, cid: Buffer.from(after.cid, 'latin1') })
      .map((row) => ({ ...row, cid: cidFromBytes(row.cid) }))
  }

  /** Notes that a blob's bytes are gone, or (null) that they are there. */
  setLost(_tx: Tx, account: number, cid: Cid, lostAt: string | null): void {
    this.#setLost.run({ account, lostAt, cid: cidToBytes(cid) })
  }

  /**
   * Notes a blob whose bytes are durable; one that is there takes the type, and is lost no more.
   */
  put(tx: Tx, account: number, cid: Cid, blob: { mimeType: string; size: number }): void {
    this.#put.run({
      account,
      cid: cidToBytes(cid),
      mimeType: blob.mimeType,
      size: blob.size,
      createdAt: tx.now,
    })
  }

  /** Notes that a record refers to a blob. */
  refer(_tx: Tx, account: number, cid: Cid, record: number, rev: string): void {
    this.#refer.run({ account, record, rev, cid: cidToBytes(cid) })
  }

  /** Forgets every reference of a record. */
  unrefer(_tx: Tx, record: number): void {
    this.#unrefer.run({ record })
  }

  /** Takes a blob down for a reason, or (null) lifts that; nothing when there is no such blob. */
  setTakedown(_tx: Tx, account: number, cid: Cid, takedownRef: string | null): void {
    this.#setTakedown.run({ account, cid: cidToBytes(cid), takedownRef })
  }

  /**
   * How many blobs an account's records refer to, and how many of those are here as far as is
   * known.
   */
  counts(account: number): { readonly received: number; readonly referenced: number } {
    return this.#counts.get({ account }) ?? { received: 0, referenced: 0 }
  }
}
