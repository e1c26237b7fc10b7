/**
 * Reads the index for the feeds. Posts and reposts of accounts that are not active, and those that may be gone, are never among
 * what it returns.
 */
import { type Kysely, type SqlBool, sql } from 'kysely'
import { type CborObject, decode, isMap } from '#protocol/cbor.ts'
import { type Counts, type Schema, tierMax } from '../schema.ts'
import type { DefinitionReader, StoredDefinition } from '../stored-definitions.ts'
import { GENERATOR, POST, parseUri, REPOST } from '../uris.ts'

/** A place in a list that is ordered by time and, among things of the same time, by number; the newest come first. */
export interface Place {
  at: number
  id: number
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
export interface Candidate extends Counts {
  id: number
  uri: string
  sortAt: number
}

export class IndexReader implements DefinitionReader {
  readonly #db: Kysely<Schema>

  constructor(db: Kysely<Schema>) {
    this.#db = db
  }

  /** The newest posts that answer no other and may be shown to the viewer, at most `limit`, from behind `after` on. */
  async newestPosts({
    limit,
    after,
    signedIn,
  }: {
    limit: number
    after?: Place
    signedIn: boolean
  }): Promise<TimelineItem[]> {
    let query = this.#db
      .selectFrom('posts')
      .innerJoin('accounts', 'accounts.id', 'posts.author')
      .select(['posts.id', 'sort_at as at', uriOf('posts', POST).as('post')])
      .where('reply_parent', 'is', null)
      .where(isPostServed)
    if (!signedIn) query = query.where(isForAll)
    if (after) query = query.where(isBehind('sort_at', 'posts.id', after))
    const found = await query.orderBy('sort_at', 'desc').orderBy('posts.id', 'desc').limit(limit).execute()
    return found.map(({ id, at, post }) => ({ post, place: { at, id } }))
  }

  /** The newest posts that answer no other, `perTier` of each order of magnitude of engagement. */
  async candidates(perTier: number): Promise<Candidate[]> {
    const found: Candidate[] = []
    for (let tier = 0; tier <= tierMax; tier++) {
      const rows = await this.#db
        .selectFrom('posts')
        .innerJoin('accounts', 'accounts.id', 'posts.author')
        .select([
          'posts.id',
          uriOf('posts', POST).as('uri'),
          'sort_at as sortAt',
          'likes',
          'reposts',
          'replies',
          'quotes',
        ])
        .where('tier', '=', tier)
        .where('reply_parent', 'is', null)
        .where(isPostServed)
        .orderBy('sort_at', 'desc')
        .limit(perTier)
        .execute()
      found.push(...rows)
    }
    return found
  }

  /** The records of posts, as far as they are here and can be read. */
  async records(ids: readonly number[]): Promise<Map<number, CborObject>> {
    if (ids.length === 0) return new Map()
    const found = await this.#db.selectFrom('records').selectAll().where('post', 'in', ids).execute()
    return new Map(
      found.flatMap(({ post, record }): [number, CborObject][] => {
        const value = record.length > 0 ? decode(record) : null
        return isMap(value) ? [[post, value]] : []
      }),
    )
  }

  /** Those of the posts that may be shown to the viewer. */
  async served(uris: string[], { signedIn }: { signedIn: boolean }): Promise<Set<string>> {
    const keys = uris.flatMap((uri) => parseUri(uri) ?? [])
    if (keys.length === 0) return new Set()
    const query = this.#db
      .selectFrom('posts')
      .innerJoin('accounts', 'accounts.id', 'posts.author')
      .select(uriOf('posts', POST).as('uri'))
      .where(
        sql<SqlBool>`(did, rkey) in (values ${sql.join(keys.map(({ did, rkey }) => sql`(${did}, ${rkey})`))})`,
      )
      .where(isPostServed)
      .$if(!signedIn, (query) => query.where(isForAll))
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
      .innerJoin('accounts', 'accounts.id', 'posts.author')
      .select(['posts.id', 'sort_at as at', uriOf('posts', POST).as('post')])
      .where('author', 'in', around)
      .where('reply_parent', 'is', null)
      .where(isPostServed)
    let reposts = this.#db
      .selectFrom('reposts')
      .innerJoin('posts', 'posts.id', 'reposts.subject')
      .innerJoin('accounts', 'accounts.id', 'posts.author')
      .innerJoin('accounts as reposters', 'reposters.id', 'reposts.author')
      .select([
        'reposts.id',
        'reposts.sort_at as at',
        uriOf('posts', POST).as('post'),
        uriOf('reposts', REPOST, 'reposters').as('repost'),
      ])
      .where('reposts.author', 'in', around)
      .where('posts.author', 'not in', around)
      .where(isPostServed)
      .where('reposts.unsure', '=', 0)
      .where('reposters.active', '=', 1)
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('reposts as earlier')
              .innerJoin('accounts as others', 'others.id', 'earlier.author')
              .select('earlier.id')
              .whereRef('earlier.subject', '=', 'reposts.subject')
              .whereRef('earlier.id', '<', 'reposts.id')
              .where('earlier.unsure', '=', 0)
              .where('others.active', '=', 1)
              .where('earlier.author', 'in', around),
          ),
        ),
      )
    if (after) {
      posts = posts.where(isBehind('sort_at', 'posts.id', after))
      reposts = reposts.where(isBehind('reposts.sort_at', 'reposts.id', after))
    }
    const items = [
      ...(await posts.orderBy('sort_at', 'desc').orderBy('posts.id', 'desc').limit(limit).execute()),
      ...(await reposts
        .orderBy('reposts.sort_at', 'desc')
        .orderBy('reposts.id', 'desc')
        .limit(limit)
        .execute()),
    ]
    return items
      .map(({ id, at, ...item }) => ({ ...item, place: { at, id } }))
      .sort((a, b) => b.place.at - a.place.at || b.place.id - a.place.id)
      .slice(0, limit)
  }

  async definitions(after: number): Promise<StoredDefinition[]> {
    return this.#db
      .selectFrom('definitions')
      .innerJoin('accounts', 'accounts.id', 'definitions.author')
      .select([
        'definitions.id',
        'did as author',
        'rkey',
        'record',
        'version',
        'filled_version as filledVersion',
        'allowed_version as allowedVersion',
        'served_version as servedVersion',
        'served_record as servedRecord',
      ])
      .where('version', '>', after)
      .orderBy('version')
      .execute()
  }

  /** The feed records that name this service: their URIs. */
  async generators(): Promise<{ uri: string; rkey: string }[]> {
    return this.#generators().orderBy('did').orderBy('rkey').execute()
  }

  /** Whether the feed record is known and names this service. */
  async hasGenerator(uri: string): Promise<boolean> {
    const { did, rkey } = parseUri(uri) ?? { did: '', rkey: '' }
    const query = this.#generators().where('did', '=', did).where('rkey', '=', rkey)
    return (await query.executeTakeFirst()) !== undefined
  }

  #generators() {
    return this.#db
      .selectFrom('generators')
      .innerJoin('accounts', 'accounts.id', 'generators.author')
      .select([uriOf('generators', GENERATOR).as('uri'), 'rkey'])
  }

  /** The accounts around a viewer, as a query. */
  #around(viewer: string, edge: GraphEdge) {
    const me = this.#db.selectFrom('accounts').select('id').where('did', '=', viewer)
    const follows = this.#db
      .selectFrom('follows as mine')
      .select('mine.subject')
      .where('mine.author', '=', me)
    if (edge === 'follows') return follows
    return follows.where(({ exists, selectFrom }) =>
      exists(
        selectFrom('follows as theirs')
          .select('theirs.rkey')
          .whereRef('theirs.author', '=', 'mine.subject')
          .where('theirs.subject', '=', me),
      ),
    )
  }
}

/** Whether a post is there, as far as anybody knows, and its author is active. */
const isPostServed = sql<SqlBool>`posts.present = 1 and posts.unsure = 0 and accounts.active = 1`

/** Whether a post's author does not mind being shown to people who are not signed in. */
const isForAll = sql<SqlBool>`not exists (select 1 from profiles where account = posts.author and no_unauthenticated = 1)`

/** The URI of a record of a table, whose author is joined. */
function uriOf(table: string, collection: string, accounts = 'accounts') {
  return sql<string>`'at://' || ${sql.ref(`${accounts}.did`)} || ${sql.lit(`/${collection}/`)} || ${sql.ref(`${table}.rkey`)}`
}

function isBehind(at: string, id: string, place: Place) {
  return sql<SqlBool>`(${sql.ref(at)}, ${sql.ref(id)}) < (${place.at}, ${place.id})`
}
