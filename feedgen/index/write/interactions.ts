/**
 * What viewers let us know of what they did with what a feed showed them. Reports repeat, and come
 * in any order: each is kept once.
 */
import type { Row } from '../schema.ts'
import type { Store, Tx } from '../store.ts'
import { POST, parseUri } from '../uris.ts'

/** A report, as it was sent. */
export interface Interaction {
  /** The URI of the post. */
  item: string
  /** What happened, by its NSID with fragment. */
  event: string
  feedContext?: string
  reqId?: string
}

const SEEN = 'app.bsky.feed.defs#interactionSeen'

export class Interactions {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  /**
   * Keeps the reports of a viewer that are about posts in the index; resolves once they are kept.
   */
  async keep(viewer: string, feed: string | undefined, reports: readonly Interaction[]): Promise<void> {
    await this.#store.transaction(async (tx) => {
      const posts = await postsOf(tx, reports)
      const known = reports.flatMap((report) => {
        const post = posts.get(report.item)
        return post === undefined ? [] : { post: post.id, author: post.author, ...report }
      })
      if (known.length === 0) return
      await tx.rows.insertMissing('accounts', [{ did: viewer }])
      const [account] = await tx.rows.find('accounts', [{ did: viewer }])
      const id = account!.id

      const seen = new Set(known.filter(({ event }) => event === SEEN).map(({ post }) => post))
      const sights = [...seen].map((post) => ({ viewer: id, post }))
      await tx.rows.remove('seen', sights)
      await tx.rows.insert(
        'seen',
        sights.map((sight) => ({ ...sight, seen_at: tx.now })),
      )

      const others = new Map(
        known
          .filter(({ event }) => event !== SEEN)
          .map((report) => [
            `${report.post} ${report.event}`,
            {
              viewer: id,
              post: report.post,
              author: report.author,
              event: report.event,
              feed: feed ?? null,
              feed_context: report.feedContext ?? null,
              req_id: report.reqId ?? null,
              at: tx.now,
            },
          ]),
      )
      const rows = [...others.values()]
      await tx.rows.remove(
        'interactions',
        rows.map(({ viewer, post, event }) => ({ viewer, post, event })),
      )
      await tx.rows.insert('interactions', rows)
    })
  }
}

/** The posts that are in the index, by URI. */
async function postsOf({ rows }: Tx, reports: readonly Interaction[]): Promise<Map<string, Row<'posts'>>> {
  const parts = new Map(
    reports.flatMap(({ item }) => {
      const uri = parseUri(item)
      return uri?.collection === POST ? [[item, uri] as const] : []
    }),
  )
  const dids = new Set([...parts.values()].map(({ did }) => did))
  const accounts = await rows.find(
    'accounts',
    [...dids].map((did) => ({ did })),
  )
  const authors = new Map(accounts.map(({ did, id }) => [did, id]))
  const keys = [...parts].flatMap(([item, { did, rkey }]) => {
    const author = authors.get(did)
    return author === undefined ? [] : { item, author, rkey }
  })
  const found = await rows.find(
    'posts',
    keys.map(({ author, rkey }) => ({ author, rkey })),
  )
  const nameOf = ({ author, rkey }: Pick<Row<'posts'>, 'author' | 'rkey'>) => `${author}/${rkey}`
  const posts = new Map(found.map((row) => [nameOf(row), row]))
  return new Map(
    keys.flatMap((key) => {
      const post = posts.get(nameOf(key))
      return post === undefined ? [] : [[key.item, post] as const]
    }),
  )
}
