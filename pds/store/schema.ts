/**
 * Every table of the PDS's one SQLite file, on one screen. The SQL that makes them is in `migrations.ts`.
 *
 * Times are ISO 8601 text in UTC with milliseconds. CIDs are their 36 bytes. `account` is `account.id` everywhere.
 */
import type { Generated } from 'kysely'

export interface Schema {
  /** Who lives here. `id` is never used again. */
  account: {
    id: Generated<number>
    did: string
    handle: string | null
    email: string | null
    emailConfirmedAt: string | null
    /** `salt:hash`, scrypt. */
    password: string | null
    /** The repository signing key, encrypted under the key secret. */
    signingKey: Buffer
    createdAt: string
    deactivatedAt: string | null
    deleteAfter: string | null
    takedownRef: string | null
  }
  /** The head of each account's repository. */
  repo: { account: number; commit: Buffer; rev: string; data: Buffer; commitBlock: Buffer }
  /** The nodes of each repository's present tree. */
  node: { id: Generated<number>; account: number; cid: Buffer; rev: string; block: Buffer }
  /** The present records. `subject` is what a like, repost, follow or block points at. */
  record: {
    id: Generated<number>
    account: number
    collection: string
    rkey: string
    cid: Buffer
    rev: string
    subject: string | null
    block: Buffer
  }
  /** Blocks that left a repository while an export of it was under way; gone when it ends. */
  retired_block: { id: Generated<number>; account: number; cid: Buffer; rev: string; block: Buffer }
  /** Blobs whose bytes lie in the blob store. */
  blob: {
    account: number
    cid: Buffer
    mimeType: string
    size: number
    createdAt: string
    takedownRef: string | null
  }
  /** Which records refer to which blobs. A blob that none refers to is temporary. */
  record_blob: { account: number; cid: Buffer; record: number; rev: string }
  /** The firehose: each frame as it is sent. `seq` is never used again. */
  event: { seq: number; account: number; time: string; frame: Buffer }
  /** Sessions: the refresh tokens that may be used. */
  refresh_token: {
    id: string
    account: number
    expiresAt: string
    /** The token that this one was exchanged for: using it again within the grace period gives the same one. */
    nextId: string | null
    appPasswordName: string | null
  }
}
