/**
 * Every table of the PDS's one SQLite file, on one screen. The SQL that makes them is in
 * `migrations.ts`.
 *
 * Times are ISO 8601 text in UTC with milliseconds. CIDs are their 36 bytes. `account` is
 * `account.id` everywhere, and `repo` is `repo.id`, which an import changes: statements that begin
 * with an account go through `repoOf`.
 */
import type { ExpressionWrapper, Generated, Kysely, RawBuilder } from 'kysely'

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
    /** What the owner of a deactivated account asked for. */
    deleteAfter: string | null
    /**
     * When the account, or what has moved in of it, goes; never while it is taken down, nor before
     * its owner was mailed.
     */
    endsAt: Generated<string | null>
    endMailedAt: Generated<string | null>
    /** The last step of a move to here; null once the account was active. */
    moveStepAt: Generated<string | null>
    /** From where the move began, and how much it has brought. */
    moveNetwork: Generated<string | null>
    moveRepoBytes: Generated<number>
    moveBlobBytes: Generated<number>
    takedownRef: string | null
    /** 1: signing in with the password also takes a code that is mailed. */
    emailAuthFactor: Generated<number>
    /** 1: the account is given no more invite codes. */
    invitesDisabled: Generated<number>
    /** Access tokens carry it: raising it ends those that were issued before. */
    sessionGeneration: Generated<number>
  }
  /**
   * Accounts that ended lately, and the generation with which the next account of the DID begins.
   */
  former_account: { did: string; sessionGeneration: number; endedAt: string }
  /** Codes that were mailed, one for each purpose; kept as the SHA-256 of the code in capitals. */
  email_token: { account: number; purpose: string; codeHash: Buffer; requestedAt: string }
  /**
   * Passwords for single apps. `password` is a scrypt hash under a salt made of the DID, so that it
   * can be looked for.
   */
  app_password: { account: number; name: string; password: string; privileged: number; createdAt: string }
  /**
   * Invite codes. `forAccount` and `createdBy` are DIDs or `admin`; `availableUses` counts those
   * that were made of it too.
   */
  invite_code: {
    code: string
    availableUses: number
    disabled: number
    forAccount: string
    createdBy: string
    createdAt: string
  }
  /** Who came by which invite code. */
  invite_code_use: { code: string; usedBy: string; usedAt: string }
  /** The head of each account's repository. */
  repo: { account: number; id: number; commit: Buffer; rev: string; data: Buffer; commitBlock: Buffer }
  /**
   * Orphaned repositories: an import is filling them, was cut off, or replaced them. Their rows,
   * with `repo` -id, are deleted step by step.
   */
  loose_repo: { id: Generated<number> }
  /** The nodes of each repository's present tree. */
  node: { id: Generated<number>; repo: number; cid: Buffer; rev: string; block: Buffer }
  /** The present records. `subject` is what a like, repost, follow or block points at. */
  record: {
    id: Generated<number>
    repo: number
    collection: string
    rkey: string
    cid: Buffer
    rev: string
    subject: string | null
    block: Buffer
    takedownRef: string | null
  }
  /** Blocks that left a repository while an export of it was under way; gone when it ends. */
  retired_block: { id: Generated<number>; repo: number; cid: Buffer; rev: string; block: Buffer }
  /** Blobs whose bytes lie in the blob store. */
  blob: {
    account: number
    cid: Buffer
    mimeType: string
    size: number
    createdAt: string
    takedownRef: string | null
    /** When its bytes were found gone; null again once they are back. */
    lostAt: Generated<string | null>
  }
  /** Which records refer to which blobs. A blob that none refers to is temporary. */
  record_blob: { repo: number; cid: Buffer; record: number; rev: string }
  /**
   * Blobs whose bytes may lie in the blob store without a row of `blob`: they are looked at, and
   * removed if so.
   */
  loose_blob: { did: string; cid: Buffer }
  /**
   * Accounts whose row is deleted and whose other rows and blobs are deleted step by step. The
   * account's id is never reused, so these are never read, and the firehose skips its events.
   */
  deletion: { account: number; did: string; beganAt: string }
  /**
   * Signing keys made ahead of their accounts, encrypted like theirs. `name`: the DID that asked,
   * or the key's own did:key.
   */
  reserved_key: { id: Generated<number>; name: string; signingKey: Buffer; createdAt: string }
  /** Which secret the signing keys are encrypted under; one row. */
  key_secret: { id: number; fingerprint: Buffer }
  /**
   * The firehose: each frame as it is sent. `seq` is never used again. `account` is 0 for the last
   * word on a deleted one.
   */
  event: { seq: number; account: number; time: string; frame: Buffer }
  /** Sessions: the refresh tokens that may be used. */
  refresh_token: {
    /** The digest of the token's id. */
    id: string
    account: number
    expiresAt: string
    /**
     * The id of the token that this one was exchanged for, sealed under its own: using it again
     * within the grace period gives the same one.
     */
    nextId: string | null
    appPasswordName: string | null
  }
  /**
   * Authenticator apps that make one-time codes. `secret` is encrypted under the key secret, as
   * signing keys are; `lastStep` is the time step of the last code that was taken, so that none is
   * taken twice.
   */
  authenticator: { account: number; secret: Buffer; lastStep: number; createdAt: string }
  /**
   * Passkeys. `id` is base64url; `transports`, how a browser reaches the key, are words with commas
   * between them.
   */
  passkey: {
    account: number
    id: string
    publicKey: Buffer
    counter: number
    transports: string
    name: string
    createdAt: string
    lastUsedAt: string | null
  }
  /** Codes for who lost the other second factors, hashed as app passwords are. */
  backup_code: { account: number; codeHash: string }
  /** Wrong codes of second factors since a time. */
  wrong_code: { account: number; count: number; since: string }
  /**
   * Pending authorization requests of OAuth clients. `clientAuth` and `parameters` are JSON;
   * `account`: the one that authorized the client.
   */
  oauth_request: {
    id: string
    account: number | null
    device: string | null
    clientId: string
    clientAuth: string
    parameters: string
    expiresAt: string
    /** The digest of the authorization code, once the request is authorized. */
    code: string | null
  }
  /** OAuth sessions. `clientAuth` and `parameters` are JSON. */
  oauth_token: {
    id: Generated<number>
    account: number
    /** Names the present access token. */
    tokenId: string
    createdAt: string
    updatedAt: string
    expiresAt: string
    clientId: string
    clientAuth: string
    device: string | null
    parameters: string
    /** Codes and refresh tokens are kept as digests. */
    code: string | null
    refreshToken: string | null
    /** The permissions, those of permission sets written out. */
    scope: string
  }
  /** Refresh tokens that were exchanged already: one that comes again was stolen. */
  used_refresh_token: {
    refreshToken: string
    token: number
    /** Null for those of earlier versions. */
    usedAt: string | null
    /** The tokens that it was exchanged for, sealed under it. */
    successor: string | null
  }
  /**
   * Browsers that opened the sign-in or account pages. `sessionId` is sealed under the key secret.
   */
  device: { id: string; sessionId: string; userAgent: string | null; ipAddress: string; lastSeenAt: string }
  /** Who is signed in on which browser; `updatedAt`: since when. */
  device_account: { device: string; account: number; createdAt: string; updatedAt: string }
  /** What accounts let apps do. `data` is JSON. */
  authorized_client: { account: number; clientId: string; createdAt: string; updatedAt: string; data: string }
  /**
   * Lexicon documents of others, and tries to get them: `lexicon` is JSON, null when there was
   * never one.
   */
  lexicon: {
    nsid: string
    createdAt: string
    updatedAt: string
    lastSucceededAt: string | null
    uri: string | null
    lexicon: string | null
  }
  /**
   * What people set in their apps, in the order that they set it. `name` is the `$type` of `json`.
   */
  preference: { id: Generated<number>; account: number; name: string; json: string }
}

/** The id of an account's repository, inside a statement. */
export function repoOf(
  query: Kysely<Schema>,
  account: RawBuilder<number>,
): ExpressionWrapper<Schema, never, number> {
  return query
    .selectFrom('repo')
    .select('repo.id')
    .where('repo.account', '=', account) as unknown as ExpressionWrapper<Schema, never, number>
}
