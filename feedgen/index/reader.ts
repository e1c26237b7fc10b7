/**
 * Reads the index for the feeds. Posts and reposts of accounts that are not active, and those that may be gone, are never among
 * what it returns.
 */
import { type Kysely, type SqlBool, sql } from 'kysely'
import { type EngagementRow, type Schema, tierMax } from './schema.ts'

/** A place in a list that is ordered by time and, among things of the same time, by URI; the newest come first. */
export interface Place {
  at: number
  uri: string
}

/** Which accounts make a viewer's timeline: those he follows, or of those the ones who follow him. */
export type GraphEdge = 'follows' | 'mutuals'

/** Something in a timeline: a post, or somebody's repost of it. */
export interface TimelineItem {
  post: string
  /** The URI of the repost record. */
  repost?: string
  /** Where it stands. */
  place: Place
}

/** A post as a ranking needs it. */
export interface Candidate extends Omit<EngagementRow, 'subject'> {
  uri: string
  sortAt: number
}

export class IndexReader {
  readonly #db: Kysely<Schema>

  constructor(db: Kysely<Schema>) {
    this.#db = db
  }

  /** The newest posts that answer no other, at most `limit`, from behind `after` on. */
  async newestPosts({ limit, after }: { limit: number; after?: Place }): Promise<Place[]> {
    let query = this.#db
      .selectFrom('posts')
      .select(['uri', 'sort_at as at'])
      .where('reply_parent', 'is', null)
      .where(isServed('posts'))
    if (after) query = query.where(isBehind('sort_at', 'uri', after))
    return query.orderBy('sort_at', 'desc').orderBy('uri', 'desc').limit(limit).execute()
  }

  /** The newest posts that answer no other, `perTier` of each order of magnitude of engagement. */
  async candidates(perTier: number): Promise<Candidate[]> {
    const found: Candidate[] = []
    for (let tier = 0; tier <= tierMax; tier++) {
      const rows = await this.#db
        .selectFrom('posts')
        .leftJoin('engagement', 'subject', 'uri')
        .select(['uri', 'sort_at as sortAt'])
        .select((row) => [
          row.fn.coalesce('likes', sql.lit(0)).as('likes'),
          row.fn.coalesce('reposts', sql.lit(0)).as('reposts'),
          row.fn.coalesce('replies', sql.lit(0)).as('replies'),
          row.fn.coalesce('quotes', sql.lit(0)).as('quotes'),
        ])
        .where('tier', '=', tier)
        .where('reply_parent', 'is', null)
        .where(isServed('posts'))
        .orderBy('sort_at', 'desc')
        .limit(perTier)
        .execute()
      found.push(...rows)
    }
    return found
  }

  /** Those of the posts that may be shown. */
  async served(uris: string[]): Promise<Set<string>> {
    if (uris.length === 0) return new Set()
    const query = this.#db.selectFrom('posts').select('uri').where('uri', 'in', uris).where(isServed('posts'))
    return new Set((await query.execute()).map(({ uri }) => uri))
  }

  /**
   * What the accounts around `viewer` posted and reposted, newest first, at most `limit`, from behind `after` on. No answers, and each post once:
   * where its author is one of them, as the post; otherwise as the repost that arrived first, which no later one can change.
   */
  async timeline(
    viewer: string,
    edge: GraphEdge,
    { limit, after }: { limit: number; after?: Place },
  ): Promise<TimelineItem[]> {
    const around = this.#around(viewer, edge)
    let posts = this.#db
      .selectFrom('posts')
      .select(['uri', 'sort_at as at'])
      .where('author', 'in', around)
      .where('reply_parent', 'is', null)
      .where(isServed('posts'))
    let reposts = this.#db
      .selectFrom('reposts')
      .innerJoin('posts', 'posts.uri', 'reposts.subject')
      .select(['reposts.uri as uri', 'reposts.sort_at as at', 'reposts.subject as post'])
      .where('reposts.author', 'in', around)
      .where('posts.author', 'not in', around)
      .where(isServed('posts'))
      .where(isServed('reposts'))
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('reposts as earlier')
              .select('earlier.id')
              .whereRef('earlier.subject', '=', 'reposts.subject')
              .whereRef('earlier.id', '<', 'reposts.id')
              .where('earlier.author', 'in', around),
          ),
        ),
      )
    if (after) {
      posts = posts.where(isBehind('sort_at', 'uri', after))
      reposts = reposts.where(isBehind('reposts.sort_at', 'reposts.uri', after))
    }
    const items = [
      ...(await posts.orderBy('sort_at', 'desc').orderBy('uri', 'desc').limit(limit).execute()),
      ...(await reposts
        .orderBy('reposts.sort_at', 'desc')
        .orderBy('reposts.uri', 'desc')
        .limit(limit)
        .execute()),
    ]
    return items
      .map(({ uri, at, ...rest }) => ({
        ...('post' in rest ? { post: rest.post as string, repost: uri } : { post: uri }),
        place: { at, uri },
      }))
      .sort((a, b) => b.place.at - a.place.at || (a.place.uri < b.place.uri ? 1 : -1))
      .slice(0, limit)
  }

  /** The feed records that name this service: their URIs. */
  async generators(): Promise<{ uri: string; rkey: string }[]> {
    return this.#db.selectFrom('generators').select(['uri', 'rkey']).orderBy('uri').execute()
  }

  /** Whether the feed record is known and names this service. */
  async hasGenerator(uri: string): Promise<boolean> {
    const query = this.#db.selectFrom('generators').select('uri').where('uri', '=', uri)
    return (await query.executeTakeFirst()) !== undefined
  }

  /** The DIDs around a viewer, as a query. */
  #around(viewer: string, edge: GraphEdge) {
    const follows = this.#db
      .selectFrom('follows as mine')
      .select('mine.subject')
      .where('mine.author', '=', viewer)
    if (edge === 'follows') return follows
    return follows.where(({ exists, selectFrom }) =>
      exists(
        selectFrom('follows as theirs')
          .select('theirs.uri')
          .whereRef('theirs.author', '=', 'mine.subject')
          .where('theirs.subject', '=', viewer),
      ),
    )
  }
}

/** Whether a row's author is active and the row is still known to be there. */
function isServed(table: 'posts' | 'reposts') {
  const { unsure, author } = { unsure: sql.ref(`${table}.unsure`), author: sql.ref(`${table}.author`) }
  return sql<SqlBool>`${unsure} = 0 and not exists (select 1 from actors where did = ${author} and active = 0)`
}

function isBehind(at: string, uri: string, place: Place) {
  return sql<SqlBool>`(${sql.ref(at)}, ${sql.ref(uri)}) < (${place.at}, ${place.uri})`
}
