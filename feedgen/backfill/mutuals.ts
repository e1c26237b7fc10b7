/**
 * Looks up which of the accounts that a viewer follows follow the viewer, where no stream brought
 * their follows: in their repositories. An account whose mutuals a definition names counts as a
 * viewer. Only follows of viewers are kept, so that an account that many viewers follow is read
 * once for all of them.
 */
import { HOUR_MS, MINUTE_MS } from '#platform/time.ts'
import type { Pending } from '../index/pending.ts'
import { decodeRecord } from './decode.ts'
import { type FetchedRecord, NotThereError, ServerError } from './pds-client.ts'
import type { Past } from './repo-backfill.ts'

export type FollowsPending = Pick<Pending, 'followsUnread' | 'viewersAmong' | 'followsTried'>

export interface MutualsContext {
  past: Pick<Past, 'collection'>
  pending: FollowsPending
}

/** Of those that a viewer follows, the newest. */
export const FOLLOWED_MAX = 2000
/** Of an account's follows the newest are looked through, a hundred with each request. */
export const FOLLOWS_READ_MAX = 5000
/** An account is not read again within this time, whatever came of it. */
export const READ_AGAIN_MS = HOUR_MS
/** Accounts that are read at once for one viewer. */
const ACCOUNTS_AT_ONCE_MAX = 4
/** One account whose server is slow does not take longer. */
const ACCOUNT_MS_MAX = MINUTE_MS
/** After this long the others have their turn, and this viewer is gone on with afterwards. */
const TURN_MS_MAX = 120_000

/**
 * Looks up who follows the viewer back.
 * @returns whether nobody is left who can be asked now
 */
export async function fetchMutuals(
  { past, pending }: MutualsContext,
  viewer: string,
  signal: AbortSignal,
): Promise<boolean> {
  const turn = AbortSignal.any([signal, AbortSignal.timeout(TURN_MS_MAX)])
  const before = Date.now() - READ_AGAIN_MS
  const unread = await pending.followsUnread(viewer, { newest: FOLLOWED_MAX, before })
  const readOthers = async () => {
    for (let did = unread.pop(); did !== undefined; did = unread.pop()) {
      await readFollows({ past, pending }, did, signal)
      if (turn.aborted) return
    }
  }
  await Promise.all(Array.from({ length: ACCOUNTS_AT_ONCE_MAX }, readOthers))
  return unread.length === 0 && !signal.aborted
}

/** Fetches an account's follows of viewers. */
async function readFollows(
  { past, pending }: MutualsContext,
  did: string,
  signal: AbortSignal,
): Promise<void> {
  // Viewers from here on may be missed.
  const at = Date.now()
  const inTime = AbortSignal.any([signal, AbortSignal.timeout(ACCOUNT_MS_MAX)])
  const choose = async (records: readonly FetchedRecord[]) => {
    const subjects = records.map(({ block }) => decodeRecord(block).subject)
    const viewers = await pending.viewersAmong(subjects.filter((subject) => typeof subject === 'string'))
    return records.filter((_, i) => viewers.has(subjects[i] as string))
  }
  let isRead = true
  try {
    await past.collection(did, 'app.bsky.graph.follow', { recordsMax: FOLLOWS_READ_MAX, choose }, inTime)
  } catch (error) {
    if (!(error instanceof ServerError || error instanceof NotThereError)) throw error
    isRead = false
  }
  if (!signal.aborted) await pending.followsTried(did, { at, isRead: isRead && !inTime.aborted })
}
