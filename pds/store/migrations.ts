/**
 * The steps that make the schema. A step that was released is never changed; a change is a new
 * step.
 */
import { digestOf, sealUnder } from '#platform/sealing.ts'
import type { Migration } from '#platform/sqlite.ts'

/** What the steps call. */
export const functions = {
  digest: (secret: string): string => digestOf(secret),
  sealed_under: (token: string, text: string): string => sealUnder(token, text),
}

export const migrations: readonly Migration[] = [
  `
  CREATE TABLE account (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    did TEXT NOT NULL UNIQUE,
    handle TEXT UNIQUE,
    email TEXT UNIQUE,
    emailConfirmedAt TEXT,
    password TEXT,
    signingKey BLOB NOT NULL,
    createdAt TEXT NOT NULL,
    deactivatedAt TEXT,
    deleteAfter TEXT,
    takedownRef TEXT
  ) STRICT;
  CREATE INDEX account_by_time ON account (createdAt, did);

  CREATE TABLE repo (
    account INTEGER PRIMARY KEY,
    "commit" BLOB NOT NULL,
    rev TEXT NOT NULL,
    data BLOB NOT NULL,
    commitBlock BLOB NOT NULL
  ) STRICT;

  -- Rows in order of insertion, so that the nodes of one commit lie side by side and go together when the next replaces them.
  CREATE TABLE node (
    id INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    cid BLOB NOT NULL,
    rev TEXT NOT NULL,
    block BLOB NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX node_by_cid ON node (account, cid);

  CREATE TABLE record (
    id INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    collection TEXT NOT NULL,
    rkey TEXT NOT NULL,
    cid BLOB NOT NULL,
    rev TEXT NOT NULL,
    subject TEXT,
    block BLOB NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX record_by_path ON record (account, collection, rkey);
  CREATE INDEX record_by_cid ON record (account, cid);
  CREATE INDEX record_by_subject ON record (account, collection, subject) WHERE subject IS NOT NULL;

  CREATE TABLE retired_block (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account INTEGER NOT NULL,
    cid BLOB NOT NULL,
    rev TEXT NOT NULL,
    block BLOB NOT NULL
  ) STRICT;
  CREATE INDEX retired_block_by_account ON retired_block (account, id);

  CREATE TABLE blob (
    account INTEGER NOT NULL,
    cid BLOB NOT NULL,
    mimeType TEXT NOT NULL,
    size INTEGER NOT NULL,
    createdAt TEXT NOT NULL,
    takedownRef TEXT,
    PRIMARY KEY (account, cid)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE record_blob (
    account INTEGER NOT NULL,
    cid BLOB NOT NULL,
    record INTEGER NOT NULL,
    rev TEXT NOT NULL,
    PRIMARY KEY (account, cid, record)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX record_blob_by_record ON record_blob (record);

  CREATE TABLE event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    account INTEGER NOT NULL,
    time TEXT NOT NULL,
    frame BLOB NOT NULL
  ) STRICT;
  CREATE INDEX event_by_account ON event (account);

  CREATE TABLE refresh_token (
    id TEXT PRIMARY KEY,
    account INTEGER NOT NULL,
    expiresAt TEXT NOT NULL,
    nextId TEXT,
    appPasswordName TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX refresh_token_by_account ON refresh_token (account);
  `,
  `
  ALTER TABLE account ADD COLUMN emailAuthFactor INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE account ADD COLUMN invitesDisabled INTEGER NOT NULL DEFAULT 0;

  CREATE TABLE email_token (
    account INTEGER NOT NULL,
    purpose TEXT NOT NULL,
    codeHash BLOB NOT NULL,
    requestedAt TEXT NOT NULL,
    PRIMARY KEY (account, purpose)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX email_token_by_code ON email_token (purpose, codeHash);

  CREATE TABLE app_password (
    account INTEGER NOT NULL,
    name TEXT NOT NULL,
    password TEXT NOT NULL,
    privileged INTEGER NOT NULL,
    createdAt TEXT NOT NULL,
    PRIMARY KEY (account, name)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE invite_code (
    code TEXT PRIMARY KEY,
    availableUses INTEGER NOT NULL,
    disabled INTEGER NOT NULL,
    forAccount TEXT NOT NULL,
    createdBy TEXT NOT NULL,
    createdAt TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX invite_code_by_account ON invite_code (forAccount);
  CREATE INDEX invite_code_by_time ON invite_code (createdAt, code);

  CREATE TABLE invite_code_use (
    code TEXT NOT NULL,
    usedBy TEXT NOT NULL,
    usedAt TEXT NOT NULL,
    PRIMARY KEY (code, usedBy)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX invite_code_use_by_account ON invite_code_use (usedBy);
  `,
  `
  -- A repository has an id of its own, so that an import can fill another beside it and take its place in one stroke.
  ALTER TABLE repo ADD COLUMN id INTEGER NOT NULL DEFAULT 0;
  UPDATE repo SET id = account;
  CREATE UNIQUE INDEX repo_by_id ON repo (id);
  ALTER TABLE node RENAME COLUMN account TO repo;
  ALTER TABLE record RENAME COLUMN account TO repo;
  ALTER TABLE record_blob RENAME COLUMN account TO repo;
  ALTER TABLE retired_block RENAME COLUMN account TO repo;
  -- Eight bytes of a digest find a record as well as all of it, and an index of a third of the size is written faster.
  DROP INDEX record_by_cid;
  CREATE INDEX record_by_digest ON record (repo, substr(cid, 5, 8));

  CREATE TABLE loose_repo (
    id INTEGER PRIMARY KEY AUTOINCREMENT
  ) STRICT;

  CREATE TABLE loose_blob (
    did TEXT NOT NULL,
    cid BLOB NOT NULL,
    PRIMARY KEY (did, cid)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  ALTER TABLE record ADD COLUMN takedownRef TEXT;
  CREATE INDEX record_taken_down ON record (repo) WHERE takedownRef IS NOT NULL;
  CREATE INDEX account_by_delete_after ON account (deleteAfter) WHERE deleteAfter IS NOT NULL;

  CREATE TABLE deletion (
    account INTEGER PRIMARY KEY,
    did TEXT NOT NULL,
    beganAt TEXT NOT NULL
  ) STRICT;

  CREATE TABLE reserved_key (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    signingKey BLOB NOT NULL,
    createdAt TEXT NOT NULL
  ) STRICT;

  CREATE TABLE key_secret (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    fingerprint BLOB NOT NULL
  ) STRICT;
  `,
  `
  CREATE INDEX record_by_rev ON record (repo, rev);

  CREATE TABLE preference (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account INTEGER NOT NULL,
    name TEXT NOT NULL,
    json TEXT NOT NULL
  ) STRICT;
  CREATE INDEX preference_by_account ON preference (account, id);
  `,
  `
  CREATE TABLE oauth_request (
    id TEXT PRIMARY KEY,
    account INTEGER,
    device TEXT,
    clientId TEXT NOT NULL,
    clientAuth TEXT NOT NULL,
    parameters TEXT NOT NULL,
    expiresAt TEXT NOT NULL,
    code TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX oauth_request_by_code ON oauth_request (code) WHERE code IS NOT NULL;
  CREATE INDEX oauth_request_by_end ON oauth_request (expiresAt);

  CREATE TABLE oauth_token (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account INTEGER NOT NULL,
    tokenId TEXT NOT NULL UNIQUE,
    createdAt TEXT NOT NULL,
    updatedAt TEXT NOT NULL,
    expiresAt TEXT NOT NULL,
    clientId TEXT NOT NULL,
    clientAuth TEXT NOT NULL,
    device TEXT,
    parameters TEXT NOT NULL,
    code TEXT,
    refreshToken TEXT UNIQUE,
    scope TEXT NOT NULL
  ) STRICT;
  CREATE INDEX oauth_token_by_account ON oauth_token (account);
  CREATE INDEX oauth_token_by_update ON oauth_token (updatedAt);
  CREATE UNIQUE INDEX oauth_token_by_code ON oauth_token (code) WHERE code IS NOT NULL;

  CREATE TABLE used_refresh_token (
    refreshToken TEXT PRIMARY KEY,
    token INTEGER NOT NULL REFERENCES oauth_token (id) ON DELETE CASCADE
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX used_refresh_token_by_token ON used_refresh_token (token);

  CREATE TABLE device (
    id TEXT PRIMARY KEY,
    sessionId TEXT NOT NULL UNIQUE,
    userAgent TEXT,
    ipAddress TEXT NOT NULL,
    lastSeenAt TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX device_by_time ON device (lastSeenAt);

  CREATE TABLE device_account (
    device TEXT NOT NULL REFERENCES device (id) ON DELETE CASCADE,
    account INTEGER NOT NULL,
    createdAt TEXT NOT NULL,
    updatedAt TEXT NOT NULL,
    PRIMARY KEY (device, account)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX device_account_by_account ON device_account (account);

  CREATE TABLE authorized_client (
    account INTEGER NOT NULL,
    clientId TEXT NOT NULL,
    createdAt TEXT NOT NULL,
    updatedAt TEXT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (account, clientId)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE lexicon (
    nsid TEXT PRIMARY KEY,
    createdAt TEXT NOT NULL,
    updatedAt TEXT NOT NULL,
    lastSucceededAt TEXT,
    uri TEXT,
    lexicon TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX lexicon_never_found ON lexicon (updatedAt) WHERE lexicon IS NULL;
  `,
  `
  CREATE TABLE authenticator (
    account INTEGER PRIMARY KEY,
    secret BLOB NOT NULL,
    lastStep INTEGER NOT NULL,
    createdAt TEXT NOT NULL
  ) STRICT;

  CREATE TABLE passkey (
    account INTEGER NOT NULL,
    id TEXT NOT NULL,
    publicKey BLOB NOT NULL,
    counter INTEGER NOT NULL,
    transports TEXT NOT NULL,
    name TEXT NOT NULL,
    createdAt TEXT NOT NULL,
    lastUsedAt TEXT,
    PRIMARY KEY (account, id)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE backup_code (
    account INTEGER NOT NULL,
    codeHash TEXT NOT NULL,
    PRIMARY KEY (account, codeHash)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE wrong_code (
    account INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    since TEXT NOT NULL
  ) STRICT;
  `,
  `
  -- Tokens are kept as digests. The successor of one that was exchanged is sealed under it.
  UPDATE refresh_token SET nextId = sealed_under(id, nextId) WHERE nextId IS NOT NULL;
  UPDATE refresh_token SET id = digest(id);
  UPDATE oauth_request SET code = digest(code) WHERE code IS NOT NULL;
  UPDATE oauth_token SET code = digest(code) WHERE code IS NOT NULL;
  UPDATE oauth_token SET refreshToken = digest(refreshToken) WHERE refreshToken IS NOT NULL;
  UPDATE used_refresh_token SET refreshToken = digest(refreshToken);
  ALTER TABLE used_refresh_token ADD COLUMN usedAt TEXT;
  ALTER TABLE used_refresh_token ADD COLUMN successor TEXT;
  `,
  `
  ALTER TABLE account ADD COLUMN sessionGeneration INTEGER NOT NULL DEFAULT 1;

  CREATE TABLE former_account (
    did TEXT PRIMARY KEY,
    sessionGeneration INTEGER NOT NULL,
    endedAt TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX former_account_by_end ON former_account (endedAt);
  `,
  `
  ALTER TABLE account ADD COLUMN endsAt TEXT;
  ALTER TABLE account ADD COLUMN endMailedAt TEXT;
  ALTER TABLE account ADD COLUMN moveStepAt TEXT;
  ALTER TABLE account ADD COLUMN moveNetwork TEXT;
  ALTER TABLE account ADD COLUMN moveRepoBytes INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE account ADD COLUMN moveBlobBytes INTEGER NOT NULL DEFAULT 0;
  DROP INDEX account_by_delete_after;
  CREATE INDEX account_by_end ON account (endsAt) WHERE endsAt IS NOT NULL;
  CREATE INDEX account_moving_in ON account (moveNetwork) WHERE moveStepAt IS NOT NULL;

  -- Only an account that moves in is deactivated from its first moment on.
  UPDATE account SET
    moveStepAt = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'),
    endsAt = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+30 days'),
    deleteAfter = NULL
  WHERE deactivatedAt = createdAt AND deleteAfter IS NOT NULL;
  UPDATE account SET
    endsAt = max(deleteAfter, strftime('%Y-%m-%dT%H:%M:%fZ', deactivatedAt, '+30 days'))
  WHERE deleteAfter IS NOT NULL AND deactivatedAt IS NOT NULL;
  `,
  `
  ALTER TABLE blob ADD COLUMN lostAt TEXT;
  `,
]
