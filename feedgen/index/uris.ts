/** The parts of record URIs. */

export interface RecordUri {
  did: string
  collection: string
  rkey: string
}

/** The URI's parts; undefined when it is not `at://did/collection/rkey`. */
export function parseUri(uri: string): RecordUri | undefined {
  const [scheme, , did, collection, rkey, ...more] = uri.split('/')
  if (scheme !== 'at:' || !did?.startsWith('did:') || !collection || !rkey || more.length > 0)
    return undefined
  return { did, collection, rkey }
}

export function formatUri({ did, collection, rkey }: RecordUri): string {
  return `at://${did}/${collection}/${rkey}`
}

export const POST = 'app.bsky.feed.post'
export const REPOST = 'app.bsky.feed.repost'
export const GENERATOR = 'app.bsky.feed.generator'
export const LIST = 'app.bsky.graph.list'
