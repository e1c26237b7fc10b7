/** What is known of blobs, and which records refer to them. Their bytes lie in the blob store. */

import type { Args, Sqlite, Tx } from '#platform/sqlite.ts'
import { type Cid, cidFromBytes, cidToBytes } from '#protocol/cid.ts'
import type { Schema } from './schema.ts'

/** A blob that was received. */
export interface BlobRow {
  readonly mimeType: string
  /** Bytes. */
  readonly size: number
  readonly takedownRef: string | null
}

export class BlobStore {
  readonly #get
  readonly #isReferenced
  readonly #list
  readonly #put
  readonly #refer
  readonly #unrefer

  constructor(db: Sqlite<Schema>) {
    this.#get = db.prepare((q, arg: Args<{ account: number; cid: Buffer }>) =>
      q
        .selectFrom('blob')
        .select(['mimeType', 'size', 'takedownRef'])
        .where('account', '=', arg.account)
        .where('cid', '=', arg.cid),
    )
    this.#isReferenced = db.prepare((q, arg: Args<{ account: number; cid: Buffer }>) =>
      q
        .selectFrom('record_blob')
        .select('record')
        .where('account', '=', arg.account)
        .where('cid', '=', arg.cid)
        .limit(1),
    )
    this.#list = db.prepare(
      (q, arg: Args<{ account: number; since: string; cursor: Buffer; limit: number }>) =>
        q
          .selectFrom('record_blob')
          .select('cid')
          .distinct()
          .where('account', '=', arg.account)
          .where('cid', '>', arg.cursor)
          .where('rev', '>', arg.since)
          .orderBy('cid')
          .limit(arg.limit),
    )
    this.#put = db.prepare((q, arg: Args<Omit<Schema['blob'], 'takedownRef'>>) =>
      q
        .insertInto('blob')
        .values({
          account: arg.account,
          cid: arg.cid,
          mimeType: arg.mimeType,
          size: arg.size,
          createdAt: arg.createdAt,
        })
        // An upload of the same bytes begins its time as a temporary blob anew.
        .onConflict((conflict) =>
          conflict.columns(['account', 'cid']).doUpdateSet({ createdAt: arg.createdAt }),
        ),
    )
    this.#refer = db.prepare((q, arg: Args<Schema['record_blob']>) =>
      q
        .insertInto('record_blob')
        .values({ account: arg.account, cid: arg.cid, record: arg.record, rev: arg.rev })
        .onConflict((conflict) => conflict.doNothing()),
    )
    this.#unrefer = db.prepare((q, arg: Args<{ record: number }>) =>
      q.deleteFrom('record_blob').where('record', '=', arg.record),
    )
  }

  get(account: number, cid: Cid): BlobRow | undefined {
    return this.#get.get({ account, cid: cidToBytes(cid) })
  }

  /** Whether a present record refers to the blob. */
  isReferenced(account: number, cid: Cid): boolean {
    return this.#isReferenced.get({ account, cid: cidToBytes(cid) }) !== undefined
  }

  /** The blobs that records of revisions after `since` refer to, in the order of their CIDs. */
  list(account: number, since: string, cursor: Cid | '', limit: number): Cid[] {
    return this.#list
      .all({ account, since, limit, cursor: Buffer.from(cursor, 'latin1') })
      .map((row) => cidFromBytes(row.cid))
  }

  /** Notes a blob whose bytes are durable. */
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
}
