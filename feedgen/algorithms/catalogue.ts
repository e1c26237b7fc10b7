/**
 * Which feed a URI names. Served are the built-in feeds in the name of the publisher that is configured, or, when none is, of everyone
 * whose feed record was seen on the firehose and names this service.
 */
import type { IndexReader } from '../index/reader.ts'
import { type Algorithm, algorithms, type Feed } from './index.ts'

export interface ServedFeed {
  /** The URI of its feed record. */
  uri: string
  algorithm: Algorithm
  page: Feed
}

const COLLECTION = 'app.bsky.feed.generator'

export class Catalogue {
  readonly #index: IndexReader
  readonly #publisherDid: string | undefined
  readonly #feeds: Map<string, Omit<ServedFeed, 'uri'>>

  constructor(index: IndexReader, publisherDid: string | undefined) {
    this.#index = index
    this.#publisherDid = publisherDid
    this.#feeds = new Map(
      algorithms.map((algorithm) => [algorithm.name, { algorithm, page: algorithm.open(index) }]),
    )
  }

  /** The feed behind the URI of a feed record, if it is one that is served here. */
  async find(uri: string): Promise<ServedFeed | undefined> {
    const [, author, name] = /^at:\/\/([^/]+)\/app\.bsky\.feed\.generator\/([^/]+)$/.exec(uri) ?? []
    const feed = name === undefined ? undefined : this.#feeds.get(name)
    if (!feed) return undefined
    const served = this.#publisherDid ? author === this.#publisherDid : await this.#index.hasGenerator(uri)
    return served ? { uri, ...feed } : undefined
  }

  /** All feeds that are served. */
  async list(): Promise<ServedFeed[]> {
    const publisher = this.#publisherDid
    if (publisher) {
      return [...this.#feeds].map(([name, feed]) => ({
        uri: `at://${publisher}/${COLLECTION}/${name}`,
        ...feed,
      }))
    }
    return (await this.#index.generators()).flatMap(({ uri, rkey }) => {
      const feed = this.#feeds.get(rkey)
      return feed ? { uri, ...feed } : []
    })
  }
}
