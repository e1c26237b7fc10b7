/**
 * What the firehose and what is fetched from repositories tell the index. Everything here is named
 * by DIDs and URIs.
 */
import type { Cid } from '#protocol/cid.ts'

/**
 * What happened to one record of the event's repository: `row` is null when it is gone, or is no
 * longer of a kind that is indexed.
 */
export type Change = {
  [T in keyof NewRecords]: { table: T; uri: string; row: NewRecords[T] | null }
}[keyof NewRecords]

/** What is kept of a record of each kind that is indexed. */
export interface NewRecords {
  posts: NewPost
  likes: NewLike
  reposts: NewRepost
  follows: NewEdge
  blocks: NewEdge
  list_blocks: NewListReference
  lists: NewList
  list_items: NewListItem
  starter_packs: NewListReference
  profiles: NewProfile
  generators: Record<string, never>
  definitions: NewDefinition
}

/** Times are milliseconds since 1970; references are URIs. */
export interface NewPost {
  sort_at: number
  seen_at: number
  reply_root: string | null
  reply_parent: string | null
  quote: string | null
  /** Its DAG-CBOR. */
  record: Uint8Array
  /** The numbers of the definitions that it matches; the writer fills them in. */
  matches?: readonly number[]
}

export interface NewLike {
  /** The URI of what is liked; only posts are counted. */
  subject: string
}

export interface NewRepost {
  subject: string
  sort_at: number
}

/** A follow or a block. */
export interface NewEdge {
  /** A DID. */
  subject: string
}

export interface NewList {
  purpose: string
  name: string
}

export interface NewListItem {
  /** The list's URI. */
  list: string
  /** A DID. */
  subject: string
}

/** A starter pack, whose members are a list's, or a block of all members of a list. */
export interface NewListReference {
  /** The list's URI. */
  list: string
}

export interface NewProfile {
  no_unauthenticated: boolean
  /** When it was looked at. */
  looked_at: number
}

export interface NewDefinition {
  /** Its DAG-CBOR. */
  record: Uint8Array
}

/** A repository has a new commit. CIDs are in their text form. */
export interface CommitChange {
  kind: 'commit'
  did: string
  rev: string
  since?: string | null
  /** The root of the tree before; senders that predate it leave it out. */
  prevData?: string
  /**
   * The root of the tree after. Senders that leave it out (Jetstream) may send several events of
   * one revision.
   */
  data?: string
  changes: Change[]
}

/**
 * A repository stands at this commit, however it came there. Senders that do not tell its root
 * leave it out.
 */
export interface SyncChange {
  kind: 'sync'
  did: string
  rev: string
  data?: string
}

/** An account is served, or is not any more. */
export interface AccountChange {
  kind: 'account'
  did: string
  active: boolean
  status?: string
}

/**
 * Records that were fetched from a repository, not told by an event. They are as of a revision: in
 * a newer repository they may be gone.
 */
export interface FetchedChange {
  kind: 'fetched'
  did: string
  /** The revision that the index knew when the fetch began; null when it knew none. */
  asOf: string | null
  changes: Change[]
}

/**
 * What a repository holds was looked through whole: of the tables that are named, every other
 * record is gone.
 */
export interface RepositoryContent {
  did: string
  rev: string
  data: string
  /** Record keys. */
  present: Map<RepositoryTable, Set<string>>
}

/** Words of a labeler; the newest on each subject, version and value counts. */
export interface LabelsChange {
  kind: 'labels'
  /** The labeler. */
  did: string
  labels: NewLabel[]
}

export interface NewLabel {
  /** A DID or the URI of a post. */
  uri: string
  /** The version of the post that is meant; null for all of them. */
  cid: Cid | null
  val: string
  neg: boolean
  madeAt: number
  expiresAt: number | null
}

export type IndexEvent = CommitChange | SyncChange | AccountChange | FetchedChange | LabelsChange

/** The tables whose rows say by author and record key what a repository holds. */
export const repositoryTables = [
  'posts',
  'likes',
  'reposts',
  'follows',
  'blocks',
  'list_blocks',
  'lists',
  'list_items',
  'starter_packs',
  'generators',
  'definitions',
] as const satisfies readonly (keyof NewRecords)[]

export type RepositoryTable = (typeof repositoryTables)[number]

/**
 * What became of an event: `stale` ones had been seen before (or newer ones of that repository),
 * `deleted` ones are of an account that is gone; after a `jumped` one it is not known which older
 * records of the repository are still there. `refused` is what the store cannot hold: it was
 * dropped and logged.
 */
export type Outcome = 'applied' | 'jumped' | 'stale' | 'deleted' | 'refused'

/** How far an endpoint was followed. */
export interface Position {
  endpoint: string
  seq: number
}
