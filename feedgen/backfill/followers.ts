/**
 * Looks up who follows an account that a definition names, where no stream brought it. Follows
 * stand in the repositories of those who follow, so an AppView is asked: for the followers, and for
 * the records that say so.
 */
import { isValidDid } from '@atproto/syntax'
import type { Fetch } from '#platform/fetch.ts'
import { pause } from '#platform/retry.ts'
import { parseUri } from '../index/uris.ts'
import type { IndexEvent, IndexWriter } from '../index/writer.ts'
import { ServerError } from './pds-client.ts'

export interface FollowersOptions {
  /** Where the AppView is. */
  url: string
  fetch: Fetch
  index: Pick<IndexWriter, 'apply' | 'rev'>
  /** After each request. */
  pauseMs?: number
}

/** Of an account, the newest. */
export const FOLLOWERS_MAX = 10_000
/** As many as the methods take. */
const FOLLOWERS_PER_PAGE_MAX = 100
const OTHERS_PER_REQUEST_MAX = 30
/** Pages of fewer followers, on average, are not turned for ever. */
const PAGE_FOLLOWERS_MIN = 25
/** It leaves the AppView room for what is asked about authors. */
const REQUEST_PAUSE_MS = 500
/** So often a follower may write while the record is written. */
const TRIES_MAX = 3
const FOLLOW = 'app.bsky.graph.follow'

/**
 * Fetches an account's follows by others.
 * @throws ServerError
 */
export async function fetchFollowers(
  options: FollowersOptions,
  did: string,
  signal: AbortSignal,
): Promise<void> {
  let cursor: string | undefined
  let looked = 0
  let pagesLeft = FOLLOWERS_MAX / PAGE_FOLLOWERS_MIN
  do {
    const limit = String(FOLLOWERS_PER_PAGE_MAX)
    const params = [['actor', did], ['limit', limit], ...(cursor === undefined ? [] : [['cursor', cursor]])]
    const page = await ask(options, 'app.bsky.graph.getFollowers', params, signal)
    const followers = listIn(page, 'followers').flatMap(({ did }) => (isDid(did) ? did : []))
    for (let from = 0; from < followers.length && !signal.aborted; from += OTHERS_PER_REQUEST_MAX) {
      const others = followers.slice(from, from + OTHERS_PER_REQUEST_MAX)
      const asked = [['actor', did], ...others.map((other) => ['others', other])]
      const answer = await ask(options, 'app.bsky.graph.getRelationships', asked, signal)
      await keep(options, did, listIn(answer, 'relationships'))
    }
    looked += followers.length
    const next = page.cursor
    cursor = typeof next === 'string' && next !== cursor && followers.length > 0 ? next : undefined
    pagesLeft--
  } while (cursor !== undefined && looked < FOLLOWERS_MAX && pagesLeft > 0 && !signal.aborted)
}

type Json = { readonly [key: string]: unknown }

/** Writes the follows that an answer names. */
async function keep(
  { index }: FollowersOptions,
  subject: string,
  relationships: readonly Json[],
): Promise<void> {
  let left = relationships.flatMap(({ did, followedBy }) => {
    const record = typeof followedBy === 'string' ? parseUri(followedBy) : undefined
    return isDid(did) && record?.did === did && record.collection === FOLLOW
      ? { did, uri: followedBy as string }
      : []
  })
  for (let tries = 0; left.length > 0 && tries < TRIES_MAX; tries++) {
    const events = await Promise.all(
      left.map(async ({ did, uri }): Promise<IndexEvent> => {
        const changes = [{ table: 'follows' as const, uri, row: { subject } }]
        return { kind: 'fetched', did, asOf: await index.rev(did), changes }
      }),
    )
    const outcomes = await index.apply(events)
    left = left.filter((_, i) => outcomes[i] === 'stale')
  }
}

/** @throws ServerError */
async function ask(
  { url, fetch, pauseMs = REQUEST_PAUSE_MS }: FollowersOptions,
  method: string,
  params: readonly (readonly string[])[],
  signal: AbortSignal,
): Promise<Json> {
  const search = new URLSearchParams(params as [string, string][])
  try {
    const response = await fetch(`${url}/xrpc/${method}?${search}`, {
      signal,
      headers: { accept: 'application/json' },
    })
    if (!response.ok) {
      await response.body?.cancel()
      throw new ServerError(`the AppView answered ${method} with ${response.status}`, {
        status: response.status,
      })
    }
    const body: unknown = await response.json()
    if (isObject(body)) return body
  } catch (cause) {
    if (cause instanceof ServerError) throw cause
    throw new ServerError(`the AppView does not answer ${method}`, { cause })
  } finally {
    await pause(pauseMs, signal)
  }
  throw new ServerError(`the AppView answered ${method} with something that is no object`)
}

/** @throws ServerError */
function listIn(answer: Json, name: string): Json[] {
  const list = answer[name]
  if (!Array.isArray(list)) throw new ServerError(`the AppView answered without ${name}`)
  return list.filter(isObject)
}

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null

const isDid = (value: unknown): value is string => typeof value === 'string' && isValidDid(value)
