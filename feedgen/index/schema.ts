/**
 * The index's tables, on one screen, alike in SQLite and PostgreSQL.
 *
 * Inside, accounts, posts and lists are numbers; DIDs and URIs are what comes in and goes out. A
 * row of `accounts`, `posts` or `lists` exists as soon as anything speaks of it: whether the record
 * itself is here says `present`. A record's row is found by its author and record key.
 *
 * Times are milliseconds since 1970. `sort_at` is when the author says a thing was made, but not
 * later than when the network saw it: a date from the future stays at the top of no feed. Flags are
 * 0 and 1.
 */
import type { Generated, Insertable, Selectable } from 'kysely'

export interface Schema {
  accounts: AccountsTable
  profiles: ProfilesTable
  account_facts: AccountFactsTable
  posts: PostsTable
  records: RecordsTable
  likes: EdgesTable
  reposts: RepostsTable
  follows: EdgesTable
  blocks: EdgesTable
  list_blocks: ListReferencesTable
  lists: ListsTable
  list_items: ListItemsTable
  starter_packs: ListReferencesTable
  labels: LabelsTable
  generators: GeneratorsTable
  definitions: DefinitionsTable
  matches: MatchesTable
  viewers: ViewersTable
  follow_reads: FollowReadsTable
  seen: SeenTable
  interactions: InteractionsTable
  cursors: CursorsTable
  leases: LeasesTable
}

/**
 * Accounts, and where each one's repository stands, so that events that come twice or too late are
 * told apart.
 */
interface AccountsTable {
  id: Generated<number>
  did: string
  /**
   * 0 or 1; 2 while it is active and {@link sweep} marks what it posted, of which nothing is shown
   * meanwhile.
   */
  active: Generated<number>
  status: string | null
  /** Null while no event told. */
  rev: string | null
  /** The root of its tree of records; null when the source of the revision does not say. */
  data: string | null
  /**
   * 1 when it changed in ways that no event told: what was indexed before may be gone, until the
   * repository is fetched again.
   */
  jumped: Generated<number>
  /**
   * Where going through all of its rows goes on, as JSON; null when that is not under way. Of a
   * deleted account they are removed, of one that jumped its posts and reposts are marked as
   * unsure.
   */
  sweep: Generated<string | null>
}

/** Accounts whose profile record was looked at. */
interface ProfilesTable {
  account: number
  /** 1 when the account asks not to be shown to people who are not signed in. */
  no_unauthenticated: number
  looked_at: number
}

/** What an AppView said of accounts that a definition asked about. */
interface AccountFactsTable {
  account: number
  /** Null when it does not say. */
  created_at: number | null
  followers: number | null
  read_at: number
}

interface PostsTable {
  id: Generated<number>
  author: number
  rkey: string
  present: Generated<number>
  sort_at: Generated<number>
  /** When the post, or the first word of it, came in. */
  seen_at: number
  /** The posts that this one answers. */
  reply_root: number | null
  reply_parent: number | null
  /** The post that this one shows. */
  quote: number | null
  /** Likes and reposts count people, not records. */
  likes: Generated<number>
  reposts: Generated<number>
  replies: Generated<number>
  quotes: Generated<number>
  /** The order of magnitude of its engagement: see {@link tierOf}. */
  tier: Generated<number>
  /** 1 while nobody knows whether the post is still there: see `AccountsTable.jumped`. */
  unsure: Generated<number>
}

/** The DAG-CBOR of the posts that are here. */
interface RecordsTable {
  post: number
  record: Uint8Array
}

/**
 * Records that say: this author, that subject; of a like the subject is a post, of a follow and a
 * block an account.
 */
interface EdgesTable {
  author: number
  rkey: string
  subject: number
}

interface RepostsTable extends EdgesTable {
  /** The order of arrival. */
  id: Generated<number>
  sort_at: number
  unsure: Generated<number>
}

interface ListsTable {
  id: Generated<number>
  author: number
  rkey: string
  present: Generated<number>
  /** What it is for, by its NSID with fragment. */
  purpose: string | null
  name: string | null
  /** When its items were fetched; null while only the firehose brought any. */
  items_read_at: Generated<number | null>
}

interface ListItemsTable {
  author: number
  rkey: string
  list: number
  /** An account. */
  subject: number
}

/** Starter packs, whose members are a list's, and blocks of all members of a list. */
interface ListReferencesTable {
  author: number
  rkey: string
  list: number
}

/** The newest word of each labeler on each subject, version and value. */
interface LabelsTable {
  /** The labeler. */
  src: number
  val: string
  /** The account that is labelled, or whose post is. */
  account: number
  /** 0 for a label on the account itself. */
  post: number
  /**
   * The CID of the version that is meant, in hexadecimal; or {@link everyVersion},
   * {@link unknownVersion}.
   */
  cid: string
  /** 1 when the label was taken back. */
  neg: number
  made_at: number
  expires_at: number | null
}

/** Feed records that name this service. */
interface GeneratorsTable {
  author: number
  rkey: string
}

/** Algorithm records. */
interface DefinitionsTable {
  id: Generated<number>
  author: number
  rkey: string
  /** Its DAG-CBOR; null once it is deleted. */
  record: Uint8Array | null
  /** Rises with each change to any definition. */
  version: number
  /** The version for which the posts of the past were matched; null when for none. */
  filled_version: number | null
  /** The version that was there before definitions had bounds; null for those that came later. */
  allowed_version: Generated<number | null>
  /**
   * The newest version that was in service, or in which it was deleted; null when it never was
   * either.
   */
  served_version: Generated<number | null>
  /** What the record said then; null when it was deleted. */
  served_record: Generated<Uint8Array | null>
}

/** The posts that passed what a definition asks of a post itself. */
interface MatchesTable {
  definition: number
  post: number
  /** The post's. */
  tier: number
  sort_at: number
}

/** Accounts that asked for a page made for them, and those whose mutuals a definition names. */
interface ViewersTable {
  account: number
  asked_at: number
  /** When their past was fetched; null while it was not. */
  fetched_at: number | null
  /** When a page made of their mutuals was asked for; null when none ever was. */
  mutuals_asked_at: Generated<number | null>
  /**
   * When it was looked up which of the accounts that they follow follow them; null while it was
   * not.
   */
  mutuals_read_at: Generated<number | null>
}

/** Accounts whose follows of viewers were looked for in their repositories. */
interface FollowReadsTable {
  account: number
  tried_at: number
  /** Follows of every viewer known at that time are here; null while they could not be read. */
  read_at: number | null
}

interface SeenTable {
  viewer: number
  post: number
  seen_at: number
}

/** What viewers let us know, but for what they saw. */
interface InteractionsTable {
  id: Generated<number>
  viewer: number
  post: number
  /**
   * The post's, which is known longer than the post; null when the post was forgotten before that
   * was.
   */
  author: number | null
  /** By its NSID with fragment. */
  event: string
  /** The URI of the feed, when it was said. */
  feed: string | null
  /** What the page gave along. */
  feed_context: string | null
  req_id: string | null
  at: number
}

/** How far each endpoint was followed. */
interface CursorsTable {
  endpoint: string
  seq: number
}

/** What `LabelsTable.cid` holds for labels that mean every version of what they are on. */
export const everyVersion = ''
/**
 * What it holds for labels that were stored before versions were: they hold for every version until
 * their labeler says the next word on the subject and value, whatever version that means.
 */
export const unknownVersion = '?'

/** Which of several processes writes. */
interface LeasesTable {
  name: string
  holder: string
  /** By the database's clock. */
  expires_at: number
}

export type Table = keyof Schema
export type Row<T extends Table> = Selectable<Schema[T]>
export type NewRow<T extends Table> = Insertable<Schema[T]>
export type AccountRow = Row<'accounts'>
export type PostRow = Row<'posts'>

/** The columns that hold text and bytes; all others hold whole numbers. */
export const textColumns: ReadonlySet<string> = new Set(
  'did status rev data sweep rkey purpose name cid val event feed feed_context req_id endpoint holder'.split(
    ' ',
  ),
)
export const bytesColumns: ReadonlySet<string> = new Set(['record', 'served_record'])

export type Counts = Pick<PostRow, 'likes' | 'reposts' | 'replies' | 'quotes'>

/**
 * The order of magnitude of a post's engagement: 0 for none, 1 for 1 to 3, 2 for 4 to 15, 3 for 16
 * to 63 ... The newest posts of each tier together hold the best ones by any score that grows with
 * engagement and falls with age, however large the index is.
 */
export function tierOf({ likes, reposts, replies, quotes }: Counts): number {
  const total = likes + reposts + replies + quotes
  return total <= 0 ? 0 : Math.floor(Math.log2(total) / 2) + 1
}

/** The highest tier: 4^15 is more than anything ever had. */
export const tierMax = 16
