/**
 * The feeds that every host of this software has: algorithms like anybody's, as records in
 * `built-in/`.
 */
import { compile, type Plan } from '../algorithm/compile.ts'
import { readDefinition } from '../algorithm/read.ts'
import following from './built-in/following.json' with { type: 'json' }
import hot from './built-in/hot.json' with { type: 'json' }
import latest from './built-in/latest.json' with { type: 'json' }
import mutuals from './built-in/mutuals.json' with { type: 'json' }
import type { FeedAlgorithm } from './feed-algorithm.ts'

export interface BuiltInFeed extends FeedAlgorithm {
  /** The record key of its feed records, forever: people's likes and pins point at it. */
  readonly rkey: string
  readonly displayName: string
  readonly description: string
  /** The record of its algorithm, which is in no repository. */
  readonly record: object
  readonly plan: Plan
}

function builtIn(rkey: string, record: object, displayName: string, description: string): BuiltInFeed {
  const plan = compile(readDefinition(record))
  return { key: `built-in ${rkey}`, rkey, displayName, description, record, plan }
}

/** In the order in which they are listed. */
export const builtInFeeds: readonly BuiltInFeed[] = [
  builtIn('latest', latest, 'Latest', 'Every post in your languages, newest first. No replies.'),
  builtIn('hot', hot, 'Hot', 'Posts in your languages getting likes, replies and reposts right now.'),
  builtIn(
    'following',
    following,
    'Following',
    'Posts and reposts from people you follow, newest first. No replies.',
  ),
  builtIn('mutuals', mutuals, 'Mutuals', 'Posts and reposts from people you follow who follow you back.'),
]
