/**
 * What a definition of an algorithm is: five stages, pure data, in the order in which they run. In
 * a record each part of a union says its `$type`, such as `social.atoll.feed.where#tag`; here that
 * is its `kind`, `tag`. `read.ts` makes the one from the other.
 *
 * The data model has no fractions: where a name ends in `Milli`, 1000 stands for 1.
 */
import type { MediaKind, TextPlace } from './features.ts'

/** The authority of these lexicons: their publisher in the network holds this domain. */
const AUTHORITY = 'social.atoll'

/** The collection of definitions; one serves the feed whose record has the same key. */
export const ALGORITHM_NSID = `${AUTHORITY}.feed.algorithm`
/** The NSID of a method, such as `social.atoll.feed.preview`. */
export function methodNsid(name: string): string {
  return `${AUTHORITY}.feed.${name}`
}

export interface Definition {
  /** Where posts come from: all of these together. */
  sources: Source[]
  /** Which of them stay; all when it is absent. */
  where?: Filter
  /** In which order; the newest first when it is absent. */
  score?: Score
  arrange?: Arrangement
  viewer?: ViewerRules
  place?: Placement
  /** The definition that this one was made from. */
  forkOf?: { uri: string; cid: string }
  createdAt: string
}

// --- sources

export type Source =
  /** What is posted anywhere. */
  | { kind: 'network'; windowHours: number }
  /** What is posted anywhere with one of the tags. */
  | { kind: 'tags'; tags: string[]; windowHours: number }
  /** What accounts post, and if `reposts`, repost. */
  | ({ kind: 'list'; uri: string } & Posting)
  | ({ kind: 'starterPack'; uri: string } & Posting)
  | ({ kind: 'actors'; dids: string[] } & Posting)
  | ({ kind: 'graph'; of: string; edge: Edge } & Posting)
  | ({ kind: 'viewerGraph'; edge: Edge } & Posting)
  /** What a labeler labelled with one of the values. */
  | { kind: 'labels'; by: string; val: string[]; windowHours: number }
  | { kind: 'posts'; uris: string[] }
  /** What another feed that is served here has. */
  | { kind: 'feed'; uri: string }
  /** What the accounts like. */
  | { kind: 'likedBy'; set: ActorSet; windowHours: number }
  /** What people like who liked the same: as the viewer, or as these posts' likers. */
  | { kind: 'colikers'; seed: Seed; windowHours: number }
  /**
   * The posts around those of other sources, or around those of them of which `where` is true, in
   * their place.
   */
  | { kind: 'hop'; to: Hop; of: Source[]; where?: Filter }
  /** What is in `from` and not in `take`. */
  | { kind: 'minus'; from: Source[]; take: Source[] }
  /** What every one of the sources has. */
  | { kind: 'intersect'; of: Source[] }

interface Posting {
  windowHours: number
  reposts?: boolean
}

export type Edge = 'follows' | 'followers' | 'mutuals'
export type Hop = 'parent' | 'root' | 'quoted' | 'replies' | 'quotes' | 'self'
export type Seed = { kind: 'viewerLikes' } | { kind: 'posts'; uris: string[] }

/** Accounts. */
export type ActorSet =
  | { kind: 'actors'; dids: string[] }
  | { kind: 'list'; uri: string }
  | { kind: 'starterPack'; uri: string }
  | { kind: 'graph'; of: string; edge: Edge }
  | { kind: 'viewerGraph'; edge: Edge }

// --- where

export type Filter =
  | { kind: 'all'; of: Filter[] }
  | { kind: 'any'; of: Filter[] }
  | { kind: 'not'; of: Filter }
  /**
   * One of the words, the phrase, or the regular expression (RE2) stands in one of the places: in
   * the text, when none is given.
   */
  | { kind: 'text'; words?: string[]; phrase?: string; regex?: string; in?: TextPlace[] }
  | { kind: 'tag'; any: string[] }
  /** The post declares one, all, or none of the languages; `pt` stands for `pt-BR` too. */
  | { kind: 'lang'; any?: string[]; every?: string[]; none?: string[] }
  /** It links to one of the domains or a host under it. */
  | { kind: 'domain'; any: string[] }
  | { kind: 'mention'; dids: string[] }
  | { kind: 'author'; in: ActorSet }
  | { kind: 'type'; any: PostType[] }
  /**
   * It shows one of the kinds, and as many pictures and videos; of those and GIFs, so many have alt
   * text.
   */
  | {
      kind: 'media'
      any: MediaKind[]
      countMin?: number
      countMax?: number
      alt?: 'every' | 'some' | 'none'
    }
  /**
   * It has one of the labels, put on by its author or, where they are named, by one of these
   * labelers.
   */
  | { kind: 'label'; any: string[]; by?: string[] }
  | { kind: 'count'; of: CountName; op: Comparison; n: number }
  | { kind: 'age'; hoursMin?: number; hoursMax?: number }
  /**
   * The author's account is that old and has that many followers, as an AppView says. Until that is
   * known, nothing is true of it.
   */
  | ({ kind: 'account' } & AccountRange)
  /**
   * A field of the record, by its path: `embed.images.0.alt`. One of the values is given, unless
   * the question is whether the field is there.
   */
  | ({ kind: 'field'; path: string; op: FieldComparison } & FieldValue)
  /** An older one of the posts under consideration says, links or shows the same. */
  | { kind: 'duplicate'; of: 'text' | 'link' | 'media' }

/** `post` answers and quotes nothing; a `repost` is there because somebody reposted it. */
export type PostType = 'post' | 'reply' | 'quote' | 'repost'
export type CountName = 'likes' | 'reposts' | 'replies' | 'quotes'
export type Comparison = 'eq' | 'ne' | 'lt' | 'lte' | 'gt' | 'gte'
export type FieldComparison = Comparison | 'contains' | 'startsWith' | 'exists' | 'absent'

export interface AccountRange {
  ageHoursMin?: number
  ageHoursMax?: number
  followersMin?: number
  followersMax?: number
}

export interface FieldValue {
  string?: string
  integer?: number
  boolean?: boolean
}

// --- score

export interface Score {
  order: Order
  /** Summed up; only for the order `score`. */
  terms?: Term[]
  /** How the sum fades with a post's age. */
  fade?: Fade
}

export type Order = 'score' | 'newest' | 'oldest' | 'random'

export type Term = { weightMilli: number } & (
  | { kind: CountName; curve?: Curve; exponentMilli?: number }
  /** What the viewer did with posts of the same author. */
  | { kind: 'affinity' }
  /** How many like it of those who like what the viewer likes. */
  | { kind: 'colike' }
  /**
   * What it is worth before anybody did anything: the same for all, by what the author's posts
   * usually get, or more the less they post.
   */
  | { kind: 'prior'; of: 'all' | 'author' | 'quiet' }
)

/** How a count turns into points: as it is, log2(1 + n), or n to the power of `exponentMilli`. */
export type Curve = 'linear' | 'log' | 'power'

/** `hot` divides by (age + offset)^gravity; `decay` halves with each half-life. */
export type Fade =
  | { kind: 'hot'; gravityMilli: number; offsetHours: number }
  | { kind: 'decay'; halfLifeHours: number }

// --- arrange

export interface Arrangement {
  /** At most `max` of an author, with at least `gap` others between two of them. */
  perAuthor?: { max?: number; gap?: number }
  /** Every n-th place is for the newest post that is not yet there. */
  freshEvery?: number
  /**
   * Posts of the lanes take turns, each lane as often as its share says; what is in no lane comes
   * last.
   */
  mix?: { lanes: Lane[] }
  /** One post of each thread, or of each linked page. */
  unique?: ('thread' | 'link')[]
  limit?: number
}

export interface Lane {
  where: Filter
  share: number
}

// --- viewer and place

export interface ViewerRules {
  hide?: ('seen' | 'liked' | 'own' | 'blocked')[]
  /** Less of an author after `requestLess`, more after `requestMore`. */
  feedback?: boolean
  /**
   * Posts in other languages than the viewer reads are left out of pages; those that declare none
   * are not.
   */
  languages?: boolean
  /** What is shown until something is known of the viewer. */
  coldStart?: { feed: string }
}

export interface Placement {
  /** Always at the top. */
  pin?: string
  manualAdd?: string[]
  manualRemove?: string[]
}
