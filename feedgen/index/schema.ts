/**
 * The index's tables, on one screen. Written in SQL that SQLite and PostgreSQL share.
 *
 * Times are milliseconds since 1970. `sort_at` is when the author says a thing was made, but not later than when the network
 * saw it: a date from the future stays at the top of no feed.
 */
import type { Generated, Insertable } from 'kysely'

export interface Schema {
  posts: PostsTable
  likes: EdgesTable
  reposts: RepostsTable
  follows: EdgesTable
  engagement: EngagementTable
  generators: GeneratorsTable
  actors: ActorsTable
  repos: ReposTable
  cursors: CursorsTable
}

interface PostsTable {
  uri: string
  cid: string
  author: string
  sort_at: number
  seen_at: number
  /** URIs of the posts that this one answers. */
  reply_root: string | null
  reply_parent: string | null
  /** URI of the post or other record that this one shows. */
  quote: string | null
  /** The order of magnitude of its engagement: see {@link tierOf}. */
  tier: number
  /** 1 while nobody knows whether the post is still there: see `ReposTable.jumped`. */
  unsure: number
}

/** Records that say: this author, that subject. Of a like the subject is a record's URI, of a follow a DID. */
interface EdgesTable {
  uri: string
  author: string
  subject: string
}

interface RepostsTable extends EdgesTable {
  /** The order of arrival. */
  id: Generated<number>
  sort_at: number
  unsure: number
}

/**
 * What became of a record of any author, whether or not the record itself is here. Likes and reposts count people, not records.
 * Rows where all is zero are not kept.
 */
interface EngagementTable {
  subject: string
  likes: number
  reposts: number
  replies: number
  quotes: number
}

/** Feed records that name this service. */
interface GeneratorsTable {
  uri: string
  author: string
  rkey: string
}

/** Accounts that an event spoke about. Others count as active. */
interface ActorsTable {
  did: string
  active: number
  status: string | null
}

/** Where each repository stands, so that events that come twice or too late are told apart. */
interface ReposTable {
  did: string
  rev: string
  /** The root of its tree of records. */
  data: string
  /** 1 when it changed in ways that no event told: what was indexed before may be gone, until the repository is fetched anew. */
  jumped: number
}

/** How far each endpoint was followed. */
interface CursorsTable {
  endpoint: string
  seq: number
}

export type PostRow = Omit<Insertable<PostsTable>, 'tier' | 'unsure'>
export type EdgeRow = Insertable<EdgesTable>
export type RepostRow = Omit<Insertable<RepostsTable>, 'id' | 'unsure'>
export type GeneratorRow = Insertable<GeneratorsTable>
export type EngagementRow = Insertable<EngagementTable>
export type RepoRow = Insertable<ReposTable>
export type ActorRow = Insertable<ActorsTable>

/**
 * The order of magnitude of a post's engagement: 0 for none, 1 for 1 to 3, 2 for 4 to 15, 3 for 16 to 63 ... The newest posts of each tier together
 * hold the best ones by any score that grows with engagement and falls with age, however large the index is.
 */
export function tierOf({ likes, reposts, replies, quotes }: Omit<EngagementRow, 'subject'>): number {
  const total = likes + reposts + replies + quotes
  return total <= 0 ? 0 : Math.floor(Math.log2(total) / 2) + 1
}

/** The highest tier: 4^15 is more than anything ever had. */
export const tierMax = 16
