/** The steps that make the schema. A step that was released is never changed; a change is a new step. */
import type { Migration } from '#platform/sqlite.ts'

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
]
