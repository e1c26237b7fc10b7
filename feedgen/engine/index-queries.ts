/**
 * What the evaluator may ask of the index. Posts and accounts are numbers; texts are only at the
 * edges. Every question is asked for many at once, and every answer has a limit, so that no
 * definition makes anything here grow without bounds.
 *
 * Posts and reposts that may not be shown (deleted, of accounts that are not active, perhaps gone
 * since their repository jumped) are in no answer.
 */
import type { Edge } from '../algorithm/definition.ts'
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
} from '../algorithm/facts.ts'

/**
 * A place in the order by time, newest first; among posts of the same time, the higher id first.
 */
export interface Place {
  /** Milliseconds since 1970. */
  readonly sortAt: number
  readonly id: PostId
}

/** The order of places. */
export function newestFirst(a: Place, b: Place): number {
  return b.sortAt - a.sortAt || b.id - a.id
}

/** Not before `since` (milliseconds since 1970), at most `limit`, the newest first. */
export interface Window {
  readonly since: number
  readonly limit: number
  /** Only what comes after this place. */
  readonly after?: Place
  /** Leaves replies out. */
  readonly noReplies?: boolean
}

export interface Facts {
  // --- names

  /** The accounts that are known here, by their DIDs. */
  accounts(dids: readonly string[]): Promise<Map<string, AccountId>>
  dids(accounts: readonly AccountId[]): Promise<Map<AccountId, string>>
  uris(posts: readonly PostId[]): Promise<Map<PostId, string>>

  // --- posts

  posts(ids: readonly PostId[]): Promise<PostFacts[]>
  postsByUri(uris: readonly string[]): Promise<Map<string, PostFacts>>
  records(ids: readonly PostId[]): Promise<Map<PostId, PostRecord>>
  /**
   * Which of them may be shown now; to a viewer who is not signed in, none of accounts that ask for
   * that.
   */
  visible(ids: readonly PostId[], options: { signedIn: boolean }): Promise<Set<PostId>>
  /** The newest of all. */
  newest(window: Window): Promise<PostFacts[]>
  /**
   * As `newest`, and for each order of magnitude of engagement at most `limit`, so that the best of
   * any age are among them.
   */
  engaged(window: Window): Promise<PostFacts[]>
  /** Those that matched the definition when they were indexed. */
  matched(definition: DefinitionId, window: Window): Promise<PostFacts[]>
  matchedEngaged(definition: DefinitionId, window: Window): Promise<PostFacts[]>
  byAuthors(authors: readonly AccountId[], window: Window): Promise<PostFacts[]>
  /** Each post once, as its first repost by one of the accounts, at that time. */
  repostedBy(accounts: readonly AccountId[], window: Omit<Window, 'noReplies'>): Promise<RepostFacts[]>
  /** Posts that the labeler labelled with one of the values, as far as the label holds. */
  labelled(by: string, vals: readonly string[], window: Window): Promise<PostFacts[]>
  /** The posts around each: at most `limit` of each. Posts without any are absent. */
  around(
    ids: readonly PostId[],
    to: 'parent' | 'root' | 'quoted' | 'replies' | 'quotes',
    options: { limit: number },
  ): Promise<Map<PostId, PostFacts[]>>
  /** The labels on posts and on their authors, by these labelers (DIDs). */
  labels(ids: readonly PostId[], by: readonly string[]): Promise<Map<PostId, LabelFacts[]>>

  // --- accounts

  /** At most `limit`, the newest follows first. */
  graph(account: AccountId, edge: Edge, options: { limit: number }): Promise<AccountId[]>
  /** The members of a list or starter pack, by its URI. */
  members(uri: string, options: { limit: number }): Promise<AccountId[]>
  /** For each account its newest likes of posts that are here, at most `each`. */
  likes(accounts: readonly AccountId[], options: { each: number }): Promise<Map<AccountId, PostId[]>>
  /** For each post its newest likers, at most `each`. */
  likers(ids: readonly PostId[], options: { each: number }): Promise<Map<PostId, AccountId[]>>
  authors(accounts: readonly AccountId[]): Promise<Map<AccountId, AuthorFacts>>

  /** What an AppView was read to say of accounts, as far as it was asked. */
  accountFacts(accounts: readonly AccountId[]): Promise<Map<AccountId, AccountFacts>>

  // --- the viewer

  /** How often the account liked, reposted or answered each author, over what is in the index. */
  affinities(viewer: AccountId, options: { limit: number }): Promise<Map<AccountId, number>>
  liked(viewer: AccountId, ids: readonly PostId[]): Promise<Set<PostId>>
  /** What the viewer's apps reported as seen. */
  seen(viewer: AccountId, ids: readonly PostId[]): Promise<Set<PostId>>
  /** Which of the accounts block the viewer or are blocked by them, through lists too. */
  blocked(viewer: AccountId, accounts: readonly AccountId[]): Promise<Set<AccountId>>
  /**
   * For each author how often more of them was asked for, less how often less. Those with neither
   * are absent.
   */
  feedback(viewer: AccountId): Promise<Map<AccountId, number>>
}
