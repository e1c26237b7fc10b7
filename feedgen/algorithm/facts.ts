/** What is known of posts and accounts, as algorithms ask for it. */
import { HOUR_MS } from '#platform/time.ts'
import type { CborObject } from '#protocol/cbor.ts'

export type PostId = number
export type AccountId = number
export type DefinitionId = number

/** A post as rankings need it. */
export interface PostFacts {
  readonly id: PostId
  readonly author: AccountId
  /** When it was made, but not later than it was seen; milliseconds since 1970. */
  readonly sortAt: number
  readonly likes: number
  readonly reposts: number
  readonly replies: number
  readonly quotes: number
  /** Whether it answers another, and whether it shows another. */
  readonly isReply: boolean
  readonly isQuote: boolean
  /** The first post of its thread, if it is an answer and that post is known here. */
  readonly root?: PostId
}

/** A post that is there because somebody reposted it. */
export interface RepostFacts {
  readonly post: PostFacts
  /** The URI of the repost record. */
  readonly uri: string
  readonly by: AccountId
  /** When it was reposted; milliseconds since 1970. */
  readonly sortAt: number
  /** Whether the post's author is one of the accounts whose reposts were asked for. */
  readonly isAuthorAmong: boolean
}

/** A post's record, and whose it is. */
export interface PostRecord {
  readonly record: CborObject
  /** The DID of the author. */
  readonly author: string
}

/** A label that holds now: not negated, not expired. */
export interface LabelFacts {
  /** The DID of the labeler. */
  readonly by: string
  readonly val: string
  /** Set where it is on the author, not on the post. */
  readonly isOnAuthor?: true
}

/** What is known of an author as one who posts. */
export interface AuthorFacts {
  /** Posts in the index of the last seven days. */
  readonly posts: number
  /** The likes of those. */
  readonly likes: number
}

/** What an AppView says of an account. What it does not say is absent. */
export interface AccountFacts {
  /** Milliseconds since 1970. */
  readonly createdAt?: number
  readonly followers?: number
  /** When it was asked. */
  readonly readAt: number
}

/**
 * An account that the AppView did not know may only be new: it is asked about again after this
 * long.
 */
const UNKNOWN_MS_MAX = HOUR_MS

/** Until when what is known of an account may be relied on; milliseconds since 1970. */
export function reliableUntil({ createdAt, followers, readAt }: AccountFacts, ageMsMax: number): number {
  const isUnknown = createdAt === undefined && followers === undefined
  return readAt + (isUnknown ? Math.min(UNKNOWN_MS_MAX, ageMsMax) : ageMsMax)
}
