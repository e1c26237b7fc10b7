/**
 * Facts held in memory: each question is answered the slow, obvious way, by looking at everything.
 */

import type { CborObject, CborValue } from '#protocol/cbor.ts'
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
} from '../../../feedgen/algorithm/facts.ts'
import { featuresOf, type PostFeatures } from '../../../feedgen/algorithm/features.ts'
import type { Facts, Window } from '../../../feedgen/engine/index-queries.ts'

export const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

interface StoredPost {
  uri: string
  author: string
  record: CborObject
  sortAt: number
}

interface Deed {
  author: string
  subject: string
  at: number
  uri: string
}

/** What to put into a post's record, beside its text. */
export interface PostOptions {
  hoursAgo?: number
  replyTo?: string
  quote?: string
  [field: string]: CborValue | undefined
}

export class MemoryFacts implements Facts {
  readonly now: number
  readonly #posts: StoredPost[] = []
  readonly #dids: string[] = []
  readonly #likes: Deed[] = []
  readonly #reposts: Deed[] = []
  readonly #follows: Deed[] = []
  readonly #labels: { by: string; uri: string; val: string }[] = []
  readonly #members = new Map<string, string[]>()
  readonly #seen: { viewer: string; uri: string }[] = []
  readonly #blocks: { author: string; subject: string }[] = []
  readonly #feedback: { viewer: string; author: string; by: number }[] = []
  readonly #accountFacts = new Map<string, AccountFacts>()
  readonly #matches = new Map<DefinitionId, Set<PostId>>()
  #serial = 0

  constructor(now: number) {
    this.now = now
  }

  // --- what happens

  /** A post; its URI. */
  post(author: string, text: string, options: PostOptions = {}): string {
    const { hoursAgo = 1, replyTo, quote, ...fields } = options
    const sortAt = this.now - hoursAgo * HOUR_MS
    const uri = this.#uri(author, 'app.bsky.feed.post')
    const root = replyTo && (this.#features(this.#id(replyTo)).root ?? replyTo)
    const record = {
      $type: 'app.bsky.feed.post',
      text,
      createdAt: new Date(sortAt).toISOString(),
      ...(replyTo ? { reply: { root: { uri: root ?? '' }, parent: { uri: replyTo } } } : {}),
      ...(quote ? { embed: { $type: 'app.bsky.embed.record', record: { uri: quote } } } : {}),
      ...Object.fromEntries(Object.entries(fields).flatMap(([k, v]) => (v === undefined ? [] : [[k, v]]))),
    } as CborObject
    this.#account(author)
    this.#posts.push({ uri, author, record, sortAt })
    return uri
  }

  like(author: string, subject: string, hoursAgo = 0): void {
    this.#account(author)
    this.#likes.push(this.#deed(author, subject, hoursAgo, 'app.bsky.feed.like'))
  }

  /** So many likes of people who do nothing else. */
  fans(count: number, subject: string): void {
    for (let i = 0; i < count; i++) this.like(`did:plc:fan${++this.#serial}`, subject)
  }

  repost(author: string, subject: string, hoursAgo = 0): string {
    this.#account(author)
    const deed = this.#deed(author, subject, hoursAgo, 'app.bsky.feed.repost')
    this.#reposts.push(deed)
    return deed.uri
  }

  follow(author: string, subject: string): void {
    this.#account(author)
    this.#account(subject)
    this.#follows.push(this.#deed(author, subject, 0, 'app.bsky.graph.follow'))
  }

  label(by: string, uri: string, val: string): void {
    this.#labels.push({ by, uri, val })
  }

  list(uri: string, members: string[]): void {
    for (const member of members) this.#account(member)
    this.#members.set(uri, members)
  }

  see(viewer: string, uri: string): void {
    this.#seen.push({ viewer, uri })
  }

  block(author: string, subject: string): void {
    this.#blocks.push({ author, subject })
  }

  wish(viewer: string, author: string, by: number): void {
    this.#feedback.push({ viewer, author, by })
  }

  /** What an AppView says of an account. */
  know(did: string, facts: Omit<AccountFacts, 'readAt'>): void {
    this.#accountFacts.set(did, { ...facts, readAt: this.now })
  }

  /** Takes posts in for a definition, as ingest does. */
  takeIn(definition: DefinitionId, isWanted: (features: PostFeatures) => boolean): void {
    this.#matches.set(definition, new Set(this.#ids().filter((id) => isWanted(this.#features(id)))))
  }

  // --- names

  async accounts(dids: readonly string[]) {
    return new Map(dids.flatMap((did) => (this.#dids.includes(did) ? [[did, this.#account(did)]] : [])))
  }

  async dids(accounts: readonly AccountId[]) {
    return new Map(accounts.map((id) => [id, this.#did(id)]))
  }

  async uris(posts: readonly PostId[]) {
    return new Map(posts.map((id) => [id, this.#post(id).uri]))
  }

  // --- posts

  async posts(ids: readonly PostId[]) {
    return ids.map((id) => this.#facts(id))
  }

  async postsByUri(uris: readonly string[]) {
    return new Map(
      uris.flatMap((uri): [string, PostFacts][] => {
        const id = this.#id(uri)
        return id > 0 ? [[uri, this.#facts(id)]] : []
      }),
    )
  }

  async records(ids: readonly PostId[]) {
    return new Map(
      ids.map((id): [PostId, PostRecord] => {
        const { record, author } = this.#post(id)
        return [id, { record, author }]
      }),
    )
  }

  async visible(ids: readonly PostId[]) {
    return new Set(ids)
  }

  async newest(window: Window) {
    return within(this.#all(), window)
  }

  async engaged({ since, noReplies }: Window) {
    return within(this.#all(), { since, noReplies, limit: Number.POSITIVE_INFINITY })
  }

  async matched(definition: DefinitionId, window: Window) {
    return within(
      this.#all().filter(({ id }) => this.#matches.get(definition)?.has(id)),
      window,
    )
  }

  matchedEngaged(definition: DefinitionId, { since }: Window) {
    return this.matched(definition, { since, limit: Number.POSITIVE_INFINITY })
  }

  async byAuthors(accounts: readonly AccountId[], window: Window) {
    return within(
      this.#all().filter(({ author }) => accounts.includes(author)),
      window,
    )
  }

  async repostedBy(accounts: readonly AccountId[], window: Window) {
    const found = new Map<string, RepostFacts>()
    for (const { author, subject, at, uri } of [...this.#reposts].sort((a, b) => a.at - b.at)) {
      if (at < window.since || !accounts.includes(this.#account(author)) || found.has(subject)) continue
      if (this.#id(subject) === 0) continue
      const post = this.#facts(this.#id(subject))
      const isAuthorAmong = accounts.includes(post.author)
      found.set(subject, { post, uri, by: this.#account(author), sortAt: at, isAuthorAmong })
    }
    return within([...found.values()], window)
  }

  async labelled(by: string, vals: readonly string[], window: Window) {
    const isLabelled = ({ id }: PostFacts) =>
      this.#labels.some((l) => l.by === by && vals.includes(l.val) && l.uri === this.#post(id).uri)
    return within(this.#all().filter(isLabelled), window)
  }

  async around(ids: readonly PostId[], to: string, { limit }: { limit: number }) {
    const of = (id: PostId): string[] => {
      const { uri } = this.#post(id)
      const { parent, root, quote } = this.#features(id)
      if (to === 'parent') return parent ? [parent] : []
      if (to === 'root') return root ? [root] : []
      if (to === 'quoted') return quote ? [quote] : []
      const others = this.#ids().filter((other) => {
        const { parent, quote } = this.#features(other)
        return (to === 'replies' ? parent : quote) === uri
      })
      return others.map((other) => this.#post(other).uri)
    }
    return new Map(
      ids.flatMap((id): [PostId, PostFacts[]][] => {
        const posts = of(id).flatMap((uri) => (this.#id(uri) > 0 ? [this.#facts(this.#id(uri))] : []))
        return posts.length > 0 ? [[id, posts.slice(0, limit)]] : []
      }),
    )
  }

  async labels(ids: readonly PostId[], by: readonly string[]) {
    return new Map(
      ids.map((id): [PostId, LabelFacts[]] => {
        const { uri, author } = this.#post(id)
        const labels = this.#labels.filter((l) => by.includes(l.by) && (l.uri === uri || l.uri === author))
        return [id, labels.map((l) => (l.uri === uri ? l : { ...l, isOnAuthor: true }))]
      }),
    )
  }

  // --- accounts

  async graph(account: AccountId, edge: string, { limit }: { limit: number }) {
    const did = this.#did(account)
    const follows = this.#follows.filter(({ author }) => author === did).map(({ subject }) => subject)
    const followers = this.#follows.filter(({ subject }) => subject === did).map(({ author }) => author)
    const found =
      edge === 'follows'
        ? follows
        : edge === 'followers'
          ? followers
          : follows.filter((d) => followers.includes(d))
    return found.slice(0, limit).map((d) => this.#account(d))
  }

  async members(uri: string, { limit }: { limit: number }) {
    return (this.#members.get(uri) ?? []).slice(0, limit).map((did) => this.#account(did))
  }

  async likes(accounts: readonly AccountId[], { each }: { each: number }) {
    return new Map(
      accounts.map((account): [AccountId, PostId[]] => {
        const liked = newestFirst(this.#likes.filter(({ author }) => author === this.#did(account)))
        return [account, liked.flatMap(({ subject }) => this.#id(subject) || []).slice(0, each)]
      }),
    )
  }

  async likers(ids: readonly PostId[], { each }: { each: number }) {
    return new Map(
      ids.map((id): [PostId, AccountId[]] => {
        const { uri } = this.#post(id)
        const likers = newestFirst(this.#likes.filter(({ subject }) => subject === uri))
        return [id, likers.slice(0, each).map(({ author }) => this.#account(author))]
      }),
    )
  }

  async authors(accounts: readonly AccountId[]) {
    return new Map(
      accounts.map((account): [AccountId, AuthorFacts] => {
        const posts = this.#all().filter((p) => p.author === account && p.sortAt >= this.now - 7 * DAY_MS)
        return [account, { posts: posts.length, likes: posts.reduce((sum, { likes }) => sum + likes, 0) }]
      }),
    )
  }

  async accountFacts(accounts: readonly AccountId[]) {
    return new Map(
      accounts.flatMap((account): [AccountId, AccountFacts][] => {
        const facts = this.#accountFacts.get(this.#did(account))
        return facts ? [[account, facts]] : []
      }),
    )
  }

  // --- the viewer

  async affinities(viewer: AccountId) {
    const did = this.#did(viewer)
    const subjects = [
      ...[...this.#likes, ...this.#reposts].filter((d) => d.author === did).map((d) => d.subject),
      ...this.#ids().flatMap((id) =>
        this.#post(id).author === did ? (this.#features(id).parent ?? []) : [],
      ),
    ]
    const counts = new Map<AccountId, number>()
    for (const subject of subjects) {
      const id = this.#id(subject)
      if (id === 0) continue
      const author = this.#account(this.#post(id).author)
      counts.set(author, (counts.get(author) ?? 0) + 1)
    }
    return counts
  }

  async liked(viewer: AccountId, ids: readonly PostId[]) {
    const liked = this.#likes.filter(({ author }) => author === this.#did(viewer))
    return new Set(ids.filter((id) => liked.some(({ subject }) => subject === this.#post(id).uri)))
  }

  async seen(viewer: AccountId, ids: readonly PostId[]) {
    const seen = this.#seen.filter((s) => s.viewer === this.#did(viewer))
    return new Set(ids.filter((id) => seen.some(({ uri }) => uri === this.#post(id).uri)))
  }

  async blocked(viewer: AccountId, accounts: readonly AccountId[]) {
    const did = this.#did(viewer)
    const isBlocked = (other: string) =>
      this.#blocks.some(
        (b) => (b.author === did && b.subject === other) || (b.author === other && b.subject === did),
      )
    return new Set(accounts.filter((account) => isBlocked(this.#did(account))))
  }

  async feedback(viewer: AccountId) {
    const sums = new Map<AccountId, number>()
    for (const { viewer: did, author, by } of this.#feedback) {
      const account = this.#account(author)
      if (did === this.#did(viewer)) sums.set(account, (sums.get(account) ?? 0) + by)
    }
    return sums
  }

  // --- inside

  #ids(): PostId[] {
    return this.#posts.map((_, i) => i + 1)
  }

  #all(): PostFacts[] {
    return this.#ids().map((id) => this.#facts(id))
  }

  #post(id: PostId): StoredPost {
    return this.#posts[id - 1] as StoredPost
  }

  /** 0 when there is no such post. */
  #id(uri: string): PostId {
    return this.#posts.findIndex((post) => post.uri === uri) + 1
  }

  #features(id: PostId): PostFeatures {
    const { record, author } = this.#post(id)
    return featuresOf(record, author)
  }

  #facts(id: PostId): PostFacts {
    const { uri, author, sortAt } = this.#post(id)
    const { parent, quote, root } = this.#features(id)
    const all = this.#ids().map((other) => this.#features(other))
    return {
      id,
      author: this.#account(author),
      sortAt,
      likes: new Set(this.#likes.filter((d) => d.subject === uri).map((d) => d.author)).size,
      reposts: new Set(this.#reposts.filter((d) => d.subject === uri).map((d) => d.author)).size,
      replies: all.filter((features) => features.parent === uri).length,
      quotes: all.filter((features) => features.quote === uri).length,
      isReply: parent !== undefined,
      isQuote: quote !== undefined,
      root: root === undefined ? undefined : this.#id(root) || undefined,
    }
  }

  #account(did: string): AccountId {
    const at = this.#dids.indexOf(did)
    return at >= 0 ? at + 1 : this.#dids.push(did)
  }

  #did(id: AccountId): string {
    return this.#dids[id - 1] as string
  }

  #deed(author: string, subject: string, hoursAgo: number, collection: string): Deed {
    return { author, subject, at: this.now - hoursAgo * HOUR_MS, uri: this.#uri(author, collection) }
  }

  #uri(author: string, collection: string): string {
    return `at://${author}/${collection}/${++this.#serial}`
  }
}

function newestFirst(deeds: readonly Deed[]): Deed[] {
  return [...deeds].reverse().sort((a, b) => b.at - a.at)
}

function within<T extends { sortAt: number } & ({ id: PostId; isReply: boolean } | { post: PostFacts })>(
  items: T[],
  { since, limit, after, noReplies }: Window,
): T[] {
  const postOf = (item: T): { id: PostId; isReply: boolean } => ('post' in item ? item.post : item)
  const compare = (a: { sortAt: number; id: PostId }, b: { sortAt: number; id: PostId }) =>
    b.sortAt - a.sortAt || b.id - a.id
  const placeOf = (item: T) => ({ sortAt: item.sortAt, id: postOf(item).id })
  return items
    .filter((item) => item.sortAt >= since && (after === undefined || compare(after, placeOf(item)) < 0))
    .filter((item) => !noReplies || !postOf(item).isReply)
    .sort((a, b) => compare(placeOf(a), placeOf(b)))
    .slice(0, limit)
}
