/** What the index answers to those who rank: `Facts` over either store. */

import { type Kysely, type RawBuilder, sql } from 'kysely'
import { DAY_MS } from '#platform/time.ts'
import { decode, isMap } from '#protocol/cbor.ts'
import type { Edge } from '../../algorithm/definition.ts'
import type {
  AccountFacts,
  AccountId,
  AuthorFacts,
  DefinitionId,
  LabelFacts,
  PostFacts,
  PostId,
  PostRecord,
  RepostFacts,
} from '../../algorithm/facts.ts'
import { type Facts, newestFirst, type Place, type Window } from '../../engine/index-queries.ts'
import type { StoreKind } from '../rows.ts'
import { everyVersion, type PostRow, type Row, type Schema, tierMax, unknownVersion } from '../schema.ts'
import { storableText } from '../text.ts'
import { formatUri, LIST, POST, parseUri, REPOST } from '../uris.ts'
import { newestOfAccounts } from './newest-of-accounts.ts'

type FoundPost = Pick<
  PostRow,
  | 'id'
  | 'author'
  | 'sort_at'
  | 'likes'
  | 'reposts'
  | 'replies'
  | 'quotes'
  | 'reply_parent'
  | 'reply_root'
  | 'quote'
>

const authorDays = 7
/**
 * To find the newest likers of a post, so many times as many are looked at: those of the accounts
 * that were met last.
 */
const likersLookedAtFactor = 4

/** What the CID of a record begins with, before its digest; in hexadecimal. */
const recordCidPrefix = '01711220'

const columns = sql`p.id, p.author, p.sort_at, p.likes, p.reposts, p.replies, p.quotes, p.reply_parent, p.reply_root, p.quote`
/** Whether a post is there, as far as anybody knows, and its author is active. */
const isServed = sql`p.present = 1 and p.unsure = 0 and exists (select 1 from accounts where id = p.author and active = 1)`

/**
 * Up to so many posts of accounts are found by merging the newest of each; for more, all are read
 * and sorted.
 */
const MERGED_ROWS_MAX = 500

const isAfter = (place: Place | undefined) =>
  place ? sql`and (p.sort_at, p.id) < (${place.sortAt}, ${place.id})` : sql``
const isNoReply = (noReplies: boolean | undefined) => (noReplies ? sql`and p.reply_parent is null` : sql``)

export class IndexFacts implements Facts {
  readonly #db: Kysely<Schema>
  readonly #kind: StoreKind

  constructor(db: Kysely<Schema>, kind: StoreKind) {
    this.#db = db
    this.#kind = kind
  }

  // --- names

  async accounts(dids: readonly string[]): Promise<Map<string, AccountId>> {
    // PostgreSQL takes a list of nothing for one of numbers.
    if (dids.length === 0) return new Map()
    const found = await this.#all<{ did: string; id: number }>(
      sql`select a.did, a.id from ${this.#given(dids)} join accounts a on a.did = g.value`,
    )
    return new Map(found.map(({ did, id }) => [did, id]))
  }

  async dids(accounts: readonly AccountId[]): Promise<Map<AccountId, string>> {
    const found = await this.#all<{ did: string; id: number }>(
      sql`select a.did, a.id from ${this.#given(accounts)} join accounts a on a.id = g.value`,
    )
    return new Map(found.map(({ did, id }) => [id, did]))
  }

  async uris(posts: readonly PostId[]): Promise<Map<PostId, string>> {
    const found = await this.#all<{ id: number; did: string; rkey: string }>(
      sql`select p.id, a.did, p.rkey from ${this.#given(posts)} join posts p on p.id = g.value join accounts a on a.id = p.author`,
    )
    return new Map(found.map(({ id, did, rkey }) => [id, formatUri({ did, collection: POST, rkey })]))
  }

  // --- posts

  async posts(ids: readonly PostId[]): Promise<PostFacts[]> {
    return this.#posts(sql`${this.#given(ids)} join posts p on p.id = g.value where ${isServed}`)
  }

  async postsByUri(uris: readonly string[]): Promise<Map<string, PostFacts>> {
    const parts = new Map(uris.map((uri) => [uri, parseUri(uri)]))
    const authors = await this.accounts([...parts.values()].flatMap((part) => part?.did ?? []))
    const found = new Map<string, PostFacts>()
    const wanted = new Map<string, string>()
    for (const [uri, part] of parts) {
      const author = part?.collection === POST ? authors.get(part.did) : undefined
      if (part && author !== undefined) wanted.set(`${author}/${part.rkey}`, uri)
    }
    if (wanted.size === 0) return found
    const rkeys = [...parts.values()].flatMap((part) => part?.rkey ?? [])
    const rows = await this.#all<FoundPost & { rkey: string }>(
      sql`select p.rkey, ${columns} from posts p where ${this.#among('p.author', [...authors.values()])}
        and ${this.#among('p.rkey', rkeys)} and ${isServed}`,
    )
    for (const row of rows) {
      const uri = wanted.get(`${row.author}/${row.rkey}`)
      if (uri !== undefined) found.set(uri, postOf(row))
    }
    return found
  }

  async records(ids: readonly PostId[]): Promise<Map<PostId, PostRecord>> {
    const found = await this.#all<{ post: number; record: Uint8Array; did: string }>(
      sql`select r.post, r.record, a.did from ${this.#given(ids)} join posts p on p.id = g.value
        join records r on r.post = p.id join accounts a on a.id = p.author
        where p.present = 1 and p.unsure = 0 and a.active = 1`,
    )
    return new Map(
      found.flatMap(({ post, record: bytes, did }) => {
        const record = decode(bytes)
        return isMap(record) ? [[post, { record, author: did }]] : []
      }),
    )
  }

  async visible(ids: readonly PostId[], { signedIn }: { signedIn: boolean }): Promise<Set<PostId>> {
    const forAll = sql`not exists (select 1 from profiles where account = p.author and no_unauthenticated = 1)`
    const found = await this.#all<{ id: number }>(
      sql`select p.id from ${this.#given(ids)} join posts p on p.id = g.value
        where ${isServed} ${signedIn ? sql`` : sql`and ${forAll}`}`,
    )
    return new Set(found.map(({ id }) => id))
  }

  newest({ since, limit, after, noReplies }: Window): Promise<PostFacts[]> {
    return this.#posts(
      sql`posts p where ${isServed} and p.sort_at >= ${since} ${isAfter(after)} ${isNoReply(noReplies)}
        order by p.sort_at desc, p.id desc limit ${limit}`,
    )
  }

  async engaged({ since, limit, noReplies }: Window): Promise<PostFacts[]> {
    const found: PostFacts[] = []
    for (let tier = 0; tier <= tierMax; tier++) {
      const posts = await this.#posts(
        sql`posts p where p.tier = ${tier} and ${isServed} and p.sort_at >= ${since} ${isNoReply(noReplies)}
          order by p.sort_at desc, p.id desc limit ${limit}`,
      )
      found.push(...posts)
    }
    return found.sort(newestFirst)
  }

  async matched(definition: DefinitionId, window: Window): Promise<PostFacts[]> {
    const newest = (await this.#matches(definition, window))
      .sort((a, b) => b.sort_at - a.sort_at || b.post - a.post)
      .slice(0, window.limit)
    return (await this.posts(newest.map(({ post }) => post))).sort(newestFirst)
  }

  async matchedEngaged(definition: DefinitionId, window: Window): Promise<PostFacts[]> {
    const matches = await this.#matches(definition, window)
    return (await this.posts(matches.map(({ post }) => post))).sort(newestFirst)
  }

  async byAuthors(authors: readonly AccountId[], window: Window): Promise<PostFacts[]> {
    const { limit, noReplies } = window
    if (limit > MERGED_ROWS_MAX) return this.#allByAuthors(authors, window)
    const found: PostFacts[] = []
    for await (const ids of this.#newestOf('posts', authors, window)) {
      const posts = await this.#posts(
        sql`${this.#given(ids)} join posts p on p.id = g.value where ${isServed} ${isNoReply(noReplies)}`,
      )
      found.push(...posts.sort(newestFirst))
      if (found.length >= limit) break
    }
    return found.slice(0, limit)
  }

  async repostedBy(accounts: readonly AccountId[], window: Window): Promise<RepostFacts[]> {
    const { limit } = window
    if (limit > MERGED_ROWS_MAX)
      return this.#reposts({ where: this.#among('r.author', accounts) }, accounts, window)
    const found: RepostFacts[] = []
    for await (const ids of this.#newestOf('reposts', accounts, window)) {
      found.push(...(await this.#reposts({ ids }, accounts, window)))
      if (found.length >= limit) break
    }
    return found.slice(0, limit)
  }

  async labelled(by: string, vals: readonly string[], { since, limit }: Window): Promise<PostFacts[]> {
    return this.#posts(
      sql`(
          select distinct post from labels join accounts on accounts.id = labels.src
          where did = ${by} and ${this.#among('val', vals)} and ${this.#holdsAt(Date.now())} and post <> 0
        ) labelled join posts p on p.id = labelled.post
        where p.sort_at >= ${since} and ${isServed} order by p.sort_at desc, p.id desc limit ${limit}`,
    )
  }

  async around(
    ids: readonly PostId[],
    to: 'parent' | 'root' | 'quoted' | 'replies' | 'quotes',
    { limit }: { limit: number },
  ): Promise<Map<PostId, PostFacts[]>> {
    const join = {
      parent: sql`s.reply_parent = p.id`,
      root: sql`s.reply_root = p.id`,
      quoted: sql`s.quote = p.id`,
      replies: sql`p.reply_parent = s.id`,
      quotes: sql`p.quote = s.id`,
    }[to]
    const found = await this.#all<FoundPost & { start: number }>(
      sql`select * from (
          select s.id as start, ${columns}, row_number() over (partition by s.id order by p.sort_at desc, p.id desc) as place
          from ${this.#given(ids)} join posts s on s.id = g.value join posts p on ${join} where ${isServed}
        ) numbered where place <= ${limit} order by start, place`,
    )
    return grouped(found, 'start', postOf)
  }

  async labels(ids: readonly PostId[], by: readonly string[]): Promise<Map<PostId, LabelFacts[]>> {
    const found = await this.#all<{ id: number; did: string; val: string; post: number }>(
      sql`select p.id, a.did, labels.val, labels.post from ${this.#given(ids)} join posts p on p.id = g.value
        join labels on labels.account = p.author and labels.post in (0, p.id)
        join accounts a on a.id = labels.src where ${this.#among('a.did', by)} and ${this.#holdsAt(Date.now())}`,
    )
    return grouped(
      found,
      'id',
      ({ did, val, post }): LabelFacts =>
        post === 0 ? { by: did, val, isOnAuthor: true } : { by: did, val },
    )
  }

  // --- accounts

  async graph(account: AccountId, edge: Edge, { limit }: { limit: number }): Promise<AccountId[]> {
    const mutual = sql`and exists (select 1 from follows t where t.subject = f.author and t.author = f.subject)`
    const found =
      edge === 'followers'
        ? sql`select f.author as id from follows f where f.subject = ${account}`
        : sql`select f.subject as id from follows f where f.author = ${account} ${edge === 'mutuals' ? mutual : sql``}`
    // A record key tells when it was made.
    const rows = await this.#all<{ id: number }>(sql`${found} order by f.rkey desc limit ${limit}`)
    return [...new Set(rows.map(({ id }) => id))]
  }

  async members(uri: string, { limit }: { limit: number }): Promise<AccountId[]> {
    const { did, collection, rkey } = parseUri(uri) ?? { did: '', collection: '', rkey: '' }
    const list =
      collection === LIST
        ? sql`select l.id from lists l join accounts a on a.id = l.author where a.did = ${did} and l.rkey = ${rkey} and l.present = 1`
        : sql`select l.id from starter_packs s join accounts a on a.id = s.author join lists l on l.id = s.list
            where a.did = ${did} and s.rkey = ${rkey} and l.present = 1`
    // Only its owner's items are the list's.
    const found = await this.#all<{ id: number }>(
      sql`select distinct i.subject as id from list_items i join lists l on l.id = i.list and l.author = i.author
        where i.list in (${list}) order by 1 limit ${limit}`,
    )
    return found.map(({ id }) => id)
  }

  async likes(accounts: readonly AccountId[], { each }: { each: number }): Promise<Map<AccountId, PostId[]>> {
    const oldest = sql`(select t.rkey from likes t where t.author = g.value order by t.rkey desc limit 1 offset ${each - 1})`
    const found = await this.#all<{ author: number; subject: number }>(
      sql`select l.author, l.subject from ${this.#given(accounts)}
        join likes l on l.author = g.value and l.rkey >= coalesce(${oldest}, '')
        join posts p on p.id = l.subject where ${isServed} order by l.author, l.rkey desc`,
    )
    return grouped(found, 'author', ({ subject }) => subject)
  }

  async likers(ids: readonly PostId[], { each }: { each: number }): Promise<Map<PostId, AccountId[]>> {
    const looked = each * likersLookedAtFactor
    const first = sql`(select t.author from likes t where t.subject = g.value order by t.author desc limit 1 offset ${looked - 1})`
    const found = await this.#all<{ subject: number; author: number; rkey: string }>(
      sql`select l.subject, l.author, l.rkey from ${this.#given(ids)}
        join likes l on l.subject = g.value and l.author >= coalesce(${first}, 0)`,
    )
    found.sort((a, b) => (a.rkey < b.rkey ? 1 : a.rkey > b.rkey ? -1 : 0))
    const likers = grouped(found, 'subject', ({ author }) => author)
    return new Map([...likers].map(([post, authors]) => [post, [...new Set(authors)].slice(0, each)]))
  }

  async authors(accounts: readonly AccountId[]): Promise<Map<AccountId, AuthorFacts>> {
    const found = await this.#all<{ author: number; posts: number; likes: number }>(
      sql`select p.author, count(*) as posts, sum(p.likes) as likes from ${this.#given(accounts)}
        join posts p on p.author = g.value
        where p.present = 1 and p.sort_at >= ${Date.now() - authorDays * DAY_MS} group by p.author`,
    )
    return new Map(
      found.map(({ author, posts, likes }) => [author, { posts: Number(posts), likes: Number(likes) }]),
    )
  }

  async accountFacts(accounts: readonly AccountId[]): Promise<Map<AccountId, AccountFacts>> {
    const found = await this.#all<Row<'account_facts'>>(
      sql`select f.* from ${this.#given(accounts)} join account_facts f on f.account = g.value`,
    )
    return new Map(found.map((row) => [row.account, accountFactsOf(row)]))
  }

  // --- the viewer

  async affinities(viewer: AccountId, { limit }: { limit: number }): Promise<Map<AccountId, number>> {
    const newest = (table: 'likes' | 'reposts') =>
      sql`select subject as post from (select subject from ${sql.table(table)} where author = ${viewer} order by rkey desc limit ${limit}) ${sql.table(table)}`
    const answered = sql`select reply_parent as post from (
      select reply_parent from posts where author = ${viewer} and present = 1 order by sort_at desc limit ${limit}
    ) answers where reply_parent is not null`
    const found = await this.#all<{ author: number; times: number }>(
      sql`select p.author, count(*) as times
        from (${newest('likes')} union all ${newest('reposts')} union all ${answered}) acts
        join posts p on p.id = acts.post where p.author <> ${viewer} group by p.author`,
    )
    return new Map(found.map(({ author, times }) => [author, Number(times)]))
  }

  async liked(viewer: AccountId, ids: readonly PostId[]): Promise<Set<PostId>> {
    const found = await this.#all<{ id: number }>(
      sql`select l.subject as id from ${this.#given(ids)} join likes l on l.subject = g.value and l.author = ${viewer}`,
    )
    return new Set(found.map(({ id }) => id))
  }

  async seen(viewer: AccountId, ids: readonly PostId[]): Promise<Set<PostId>> {
    const found = await this.#all<{ id: number }>(
      sql`select s.post as id from ${this.#given(ids)} join seen s on s.post = g.value and s.viewer = ${viewer}`,
    )
    return new Set(found.map(({ id }) => id))
  }

  async blocked(viewer: AccountId, accounts: readonly AccountId[]): Promise<Set<AccountId>> {
    const members = sql`list_blocks b join lists l on l.id = b.list and l.present = 1
      join list_items i on i.list = l.id and i.author = l.author`
    const found = await this.#all<{ id: number }>(
      sql`select b.subject as id from blocks b where b.author = ${viewer} and ${this.#among('b.subject', accounts)}
        union select b.author from blocks b where b.subject = ${viewer} and ${this.#among('b.author', accounts)}
        union select i.subject from ${members} where b.author = ${viewer} and ${this.#among('i.subject', accounts)}
        union select b.author from ${members} where i.subject = ${viewer} and ${this.#among('b.author', accounts)}`,
    )
    return new Set(found.map(({ id }) => id))
  }

  async feedback(viewer: AccountId): Promise<Map<AccountId, number>> {
    const wish = sql`sum(case i.event when 'app.bsky.feed.defs#requestMore' then 1 when 'app.bsky.feed.defs#requestLess' then -1 else 0 end)`
    const found = await this.#all<{ author: number; wish: number }>(
      sql`select i.author, ${wish} as wish from interactions i
        where i.viewer = ${viewer} and i.author is not null group by i.author having ${wish} <> 0`,
    )
    return new Map(found.map(({ author, wish }) => [author, Number(wish)]))
  }

  // --- queries

  async #all<R>(query: RawBuilder<unknown>): Promise<R[]> {
    return (await (query as RawBuilder<R>).execute(this.#db)).rows
  }

  /** The posts `p` of the rest of a query. */
  async #posts(from: RawBuilder<unknown>): Promise<PostFacts[]> {
    return (await this.#all<FoundPost>(sql`select ${columns} from ${from}`)).map(postOf)
  }

  #allByAuthors(
    authors: readonly AccountId[],
    { since, limit, after, noReplies }: Window,
  ): Promise<PostFacts[]> {
    return this.#posts(
      sql`posts p where ${this.#among('p.author', authors)} and p.sort_at >= ${since} ${isAfter(after)}
        ${isNoReply(noReplies)} and ${isServed} order by p.sort_at desc, p.id desc limit ${limit}`,
    )
  }

  /**
   * The first reposts of posts by the accounts, of these reposts, or of those `r` that a condition
   * leaves.
   */
  async #reposts(
    which: { ids: readonly number[] } | { where: RawBuilder<unknown> },
    accounts: readonly AccountId[],
    { since, limit, after }: Window,
  ): Promise<RepostFacts[]> {
    const [reposts, condition] =
      'ids' in which
        ? [sql`${this.#given(which.ids)} join reposts r on r.id = g.value`, sql`true`]
        : [sql`reposts r`, which.where]
    const isByOne = (author: string) => this.#among(author, accounts)
    const isBehind = after ? sql`and (r.sort_at, p.id) < (${after.sortAt}, ${after.id})` : sql``
    const found = await this.#all<
      FoundPost & { by: number; at: number; did: string; rkey: string; among: number | boolean }
    >(
      sql`select ${columns}, r.author as by, r.sort_at as at, a.did, r.rkey, (${isByOne('p.author')}) as among
        from ${reposts} join posts p on p.id = r.subject join accounts a on a.id = r.author
        where ${condition} and r.sort_at >= ${since} ${isBehind} and r.unsure = 0
          and a.active = 1 and ${isServed}
          and not exists (
            select 1 from reposts e join accounts o on o.id = e.author
            where e.subject = r.subject and ${isByOne('e.author')} and e.sort_at >= ${since} and e.unsure = 0
              and o.active = 1 and (e.sort_at, o.did, e.rkey) < (r.sort_at, a.did, r.rkey)
          )
        order by r.sort_at desc, p.id desc limit ${limit}`,
    )
    return found.map(({ by, at, did, rkey, among, ...post }) => ({
      post: postOf(post),
      uri: formatUri({ did, collection: REPOST, rkey }),
      by,
      sortAt: at,
      isAuthorAmong: Boolean(among),
    }))
  }

  /** The numbers of the accounts' newest rows, in their order, in batches that one query takes. */
  async *#newestOf(
    table: 'posts' | 'reposts',
    accounts: readonly AccountId[],
    window: Window,
  ): AsyncGenerator<number[]> {
    const options = {
      table,
      accounts: this.#given([...new Set(accounts)]),
      eachMin: Math.ceil((2 * window.limit) / Math.max(1, accounts.length)),
      window,
      all: <R>(query: RawBuilder<unknown>) => this.#all<R>(query),
      hasLateral: this.#kind === 'postgres',
    }
    // Some of them may not be shown.
    const step = 2 * window.limit
    for await (const rows of newestOfAccounts(options)) {
      for (let at = 0; at < rows.length; at += step) yield rows.slice(at, at + step).map(({ row }) => row)
    }
  }

  /** The newest matches of each order of magnitude, at most `limit` of each. */
  async #matches(
    definition: DefinitionId,
    { since, limit }: Window,
  ): Promise<{ post: PostId; sort_at: number }[]> {
    const found: { post: PostId; sort_at: number }[] = []
    for (let tier = 0; tier <= tierMax; tier++) {
      const matches = await this.#db
        .selectFrom('matches')
        .select(['post', 'sort_at'])
        .where('definition', '=', definition)
        .where('tier', '=', tier)
        .where('sort_at', '>=', since)
        .orderBy('sort_at', 'desc')
        .orderBy('post', 'desc')
        .limit(limit)
        .execute()
      found.push(...matches)
    }
    return found
  }

  /**
   * Whether a label is neither taken back nor expired, and means the version of the post that is
   * here. Who takes a label back for every version takes it back for each that was named before.
   */
  #holdsAt(now: number): RawBuilder<unknown> {
    const digest =
      this.#kind === 'sqlite' ? sql`lower(hex(sha256(r.record)))` : sql`encode(sha256(r.record), 'hex')`
    return sql`labels.neg = 0 and (labels.expires_at is null or labels.expires_at > ${now})
      and (labels.cid in (${everyVersion}, ${unknownVersion}) or (
        labels.cid = (select ${recordCidPrefix} || ${digest} from records r where r.post = labels.post)
        and not exists (
          select 1 from labels n where n.account = labels.account and n.post = labels.post and n.src = labels.src
            and n.val = labels.val and n.cid = ${everyVersion} and n.neg = 1 and n.made_at >= labels.made_at
        )
      ))`
  }

  /** The values as a table `g` with the column `value`, bound as one. */
  #given(values: readonly (string | number)[]): RawBuilder<unknown> {
    if (this.#kind === 'sqlite') return sql`json_each(${JSON.stringify(values.map(storable))}) g`
    return sql`unnest(${[...new Set(values.map(storable))]}::${arrayType(values)}) as g(value)`
  }

  #among(column: string, values: readonly (string | number)[]): RawBuilder<unknown> {
    if (this.#kind === 'sqlite')
      return sql`${sql.ref(column)} in (select value from json_each(${JSON.stringify(values.map(storable))}))`
    return sql`${sql.ref(column)} = any(${values.map(storable)}::${arrayType(values)})`
  }
}

function storable<T extends string | number>(value: T): string | T {
  return typeof value === 'string' ? storableText(value) : value
}

function arrayType([first]: readonly (string | number)[]): RawBuilder<unknown> {
  return typeof first === 'string' ? sql`text[]` : sql`bigint[]`
}

function postOf(row: FoundPost): PostFacts {
  return {
    id: row.id,
    author: row.author,
    sortAt: row.sort_at,
    likes: row.likes,
    reposts: row.reposts,
    replies: row.replies,
    quotes: row.quotes,
    isReply: row.reply_parent !== null,
    isQuote: row.quote !== null,
    ...(row.reply_root !== null && { root: row.reply_root }),
  }
}

/** A row as facts: what is null is absent. */
export function accountFactsOf({ created_at, followers, read_at }: Row<'account_facts'>): AccountFacts {
  return { createdAt: created_at ?? undefined, followers: followers ?? undefined, readAt: read_at }
}

/** Values by a column, in the order of the rows. */
function grouped<R, K extends keyof R, V>(rows: R[], by: K, value: (row: R) => V): Map<R[K], V[]> {
  const groups = new Map<R[K], V[]>()
  for (const row of rows) {
    const group = groups.get(row[by])
    if (group) group.push(value(row))
    else groups.set(row[by], [value(row)])
  }
  return groups
}
