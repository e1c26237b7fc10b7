import { type Logger, logger } from '#platform/log.ts'
import type { Pending } from '../index/pending.ts'
import { decodeRecord } from './decode.ts'
import { fetchList } from './lists.ts'
import { NotThereError } from './pds-client.ts'
import type { Past } from './repo-backfill.ts'

const log: Logger = logger('backfill')

/** Of each kind the newest. A viewer with more gets feeds made from these. */
const followsMax = 10_000
const likesMax = 1000
const blocksMax = 5000
const ownListsMax = 200
const ownListItemsMax = 5000
const blockedListsMax = 20

/**
 * Fetches what feeds are made from that are made for this account: its follows, likes, blocks and
 * lists, and the lists that it blocks.
 */
export async function fetchViewer(
  { past, pending }: { past: Past; pending: Pick<Pending, 'listRead'> },
  did: string,
  signal: AbortSignal,
): Promise<void> {
  const fetch = (collection: string, recordsMax: number) =>
    past.collection(did, `app.bsky.${collection}`, { recordsMax }, signal)
  await fetch('graph.follow', followsMax)
  await fetch('feed.like', likesMax)
  await fetch('graph.block', blocksMax)
  await fetch('graph.list', ownListsMax)
  await fetch('graph.listitem', ownListItemsMax)
  const blocked = await fetch('graph.listblock', blockedListsMax)
  for (const { block } of blocked) {
    const { subject } = decodeRecord(block)
    if (typeof subject !== 'string') continue
    try {
      await fetchList(past, subject, signal)
      if (!signal.aborted) await pending.listRead(subject)
    } catch (error) {
      // A list of somebody whose server is down must not keep the viewer waiting for ever, and one
      // that is gone blocks nobody.
      if (signal.aborted || error instanceof NotThereError) continue
      log.warn(
        {
          did,
          list: subject,
          err: error,
          todo: 'nothing if it is rare: it is fetched again while the viewer comes back; see whether the server of the list answers',
        },
        'a list that a viewer blocks cannot be fetched; its members are not hidden from the viewer',
      )
    }
  }
}
