import { AtUri } from '@atproto/syntax'
import { decodeRecord } from './decode.ts'
import { NotThereError } from './pds-client.ts'
import type { Past } from './repo-backfill.ts'

/** An owner's list items, of all their lists: they cannot be asked for by list. */
const listItemsMax = 10_000

/**
 * Fetches a list and its members; these first, so that a list that is there has them.
 * @returns the members' DIDs
 * @throws ServerError, NotThereError
 */
export async function fetchList(past: Past, uri: string, signal: AbortSignal): Promise<string[]> {
  const { host: owner, collection, rkey } = new AtUri(uri)
  const items = await past.collection(owner, 'app.bsky.graph.listitem', { recordsMax: listItemsMax }, signal)
  if (!(await past.record(owner, `${collection}/${rkey}`))) throw new NotThereError('the list is gone')
  return items.flatMap(({ block }) => {
    const { list, subject } = decodeRecord(block)
    return list === uri && typeof subject === 'string' ? [subject] : []
  })
}

/**
 * Fetches a starter pack and the members of its list.
 * @returns the members' DIDs
 * @throws ServerError, NotThereError
 */
export async function fetchStarterPack(past: Past, uri: string, signal: AbortSignal): Promise<string[]> {
  const { host: owner, collection, rkey } = new AtUri(uri)
  const pack = await past.record(owner, `${collection}/${rkey}`)
  const { list } = pack ? decodeRecord(pack.block) : {}
  return typeof list === 'string' ? fetchList(past, list, signal) : []
}
