/**
 * How people name feeds and posts: by at-URI, by the address of the Bluesky app, or a feed of one's
 * own by its record key.
 */
import type { AtpAgent } from '@atproto/api'
import { AtUri, isValidAtIdentifier, isValidRecordKey } from '@atproto/syntax'
import { ALGORITHM_NSID } from '../../../feedgen/algorithm/definition.ts'
import { UsageError } from '../../command.ts'
import type { Account, Network } from '../network.ts'

export const GENERATOR_NSID = 'app.bsky.feed.generator'

/** Whose feed, and which of them. */
export interface FeedReference {
  /** A handle or DID; absent when it is one's own. */
  repo?: string
  rkey: string
}

/**
 * Reads the name of a feed.
 * @throws UsageError when it is none
 */
export function parseFeed(text: string): FeedReference {
  const app = /^https?:\/\/[^/]+\/profile\/([^/?#]+)\/feed\/([^/?#]+)\/?$/.exec(text)
  if (app && isValidAtIdentifier(app[1] as string)) return { repo: app[1], rkey: app[2] as string }
  if (text.startsWith('at://')) {
    const uri = parseUri(text)
    if (uri && [GENERATOR_NSID, ALGORITHM_NSID].includes(uri.collection) && isValidRecordKey(uri.rkey)) {
      return { repo: uri.hostname, rkey: uri.rkey }
    }
  } else if (isValidRecordKey(text)) return { rkey: text }
  throw new UsageError(
    `This names no feed: ${text}. Write at://WHOSE/${GENERATOR_NSID}/KEY, https://bsky.app/profile/WHOSE/feed/KEY, or the KEY of a feed of your own.`,
  )
}

/**
 * The record key of a feed of the account that is signed in.
 * @throws UsageError when the text names no feed, or somebody else's
 */
export function parseOwnFeed(text: string, agent: AtpAgent): string {
  const { repo, rkey } = parseFeed(text)
  if (repo !== undefined && repo !== agent.assertDid && repo !== agent.session?.handle) {
    throw new UsageError(`That is the feed of ${repo}, and you are signed in as ${agent.session?.handle}.`)
  }
  return rkey
}

/**
 * The at-URI of a post, with the DID of its author.
 * @throws UsageError when the text names no post
 */
export async function parsePost(text: string, network: Network): Promise<string> {
  const app = /^https?:\/\/[^/]+\/profile\/([^/?#]+)\/post\/([^/?#]+)\/?$/.exec(text)
  const uri = app ? parseUri(`at://${app[1]}/app.bsky.feed.post/${app[2]}`) : parseUri(text)
  if (uri?.collection !== 'app.bsky.feed.post' || !isValidRecordKey(uri.rkey)) {
    throw new UsageError(
      `This names no post: ${text}. Write at://WHOSE/app.bsky.feed.post/KEY or https://bsky.app/profile/WHOSE/post/KEY.`,
    )
  }
  const { did } = await network.findAccount(uri.hostname)
  return `at://${did}/${uri.collection}/${uri.rkey}`
}

/** The at-URIs of a feed's two records, which have one key. */
export function feedUris({ did }: Pick<Account, 'did'>, rkey: string): { feed: string; algorithm: string } {
  return { feed: `at://${did}/${GENERATOR_NSID}/${rkey}`, algorithm: `at://${did}/${ALGORITHM_NSID}/${rkey}` }
}

function parseUri(text: string): AtUri | undefined {
  try {
    return new AtUri(text)
  } catch {
    return undefined
  }
}
