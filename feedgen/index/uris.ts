/** The parts of record URIs. */
import { isValidDid, isValidNsid, isValidRecordKey } from '@atproto/syntax'

export interface RecordUri {
  did: string
  collection: string
  rkey: string
}

/** The URI's parts; undefined when it is not `at://did/collection/rkey`. */
export function parseUri(uri: string): RecordUri | undefined {
  const [scheme, , did, collection, rkey, ...more] = uri.split('/')
  if (scheme !== 'at:' || !did || !collection || !rkey || more.length > 0) return undefined
  if (!isValidDid(did) || !isValidNsid(collection) || !isValidRecordKey(rkey)) return undefined
  return { did, collection, rkey }
}

export function formatUri({ did, collection, rkey }: RecordUri): string {
  return `at://${did}/${collection}/${rkey}`
}

export const POST = 'app.bsky.feed.post'
export const REPOST = 'app.bsky.feed.repost'
export const GENERATOR = 'app.bsky.feed.generator'
export const LIST = 'app.bsky.graph.list'
