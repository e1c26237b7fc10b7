/**
 * Which feed a URI names. Served are the feeds of live definitions, and the built-in feeds: these
 * in the name of the publisher that is configured, or, when none is, of everyone whose feed record
 * was seen on the firehose and names this service.
 */
import { ALGORITHM_NSID } from '../algorithm/definition.ts'
import type { IndexReader } from '../index/read/reader.ts'
import { type BuiltInFeed, builtInFeeds } from './built-in.ts'
import type { FeedAlgorithm } from './feed-algorithm.ts'
import {
  type Definitions,
  feedUriOf,
  GENERATOR_NSID,
  type LiveDefinition,
  refusalText,
} from './live-definitions.ts'
import type { Feed, FeedPage, FeedRequest } from './page.ts'
import { type FeedDeps, servePage } from './serving.ts'

export interface ServedFeed {
  /** The URI of its feed record. */
  uri: string
  displayName: string
  description: string
  /** Whether it is nothing without knowing who looks at it. */
  needsViewer: boolean
  /** Whether it shows each viewer something else. */
  looksAtViewer: boolean
  /** Whether it is made of those who follow the viewer back. */
  asksMutuals: boolean
  page: Feed
}

/** A built-in feed in the name of an account. */
export interface ServedBuiltIn {
  /** The URI of the feed's record. */
  readonly feed: string
  readonly author: string
  readonly builtIn: BuiltInFeed
}

export interface RegistryOptions {
  index: IndexReader
  publisherDid?: string
  definitions: Definitions
  deps: FeedDeps
}

/** Before the cursor of a cold start stands what no other cursor has. */
const COLD = 'cold.'

const FEED_URI = /^at:\/\/([^/]+)\/app\.bsky\.feed\.generator\/([^/]+)$/

export class Registry {
  readonly #options: RegistryOptions
  readonly #builtIn: ReadonlyMap<string, BuiltInFeed>

  constructor(options: RegistryOptions) {
    this.#options = options
    this.#builtIn = new Map(builtInFeeds.map((feed) => [feed.rkey, { ...feed }]))
  }

  /** The feed behind the URI of a feed record, if it is one that is served here. */
  async find(uri: string): Promise<ServedFeed | undefined> {
    const live = this.#live(uri)
    if (live) return this.#defined(live)
    const found = await this.findBuiltIn(uri)
    return found && this.#served(found.feed, found.builtIn)
  }

  /** The algorithm of a feed that is served here, by the URI of the feed's record. */
  async algorithm(uri: string): Promise<FeedAlgorithm | undefined> {
    const live = this.#live(uri)
    if (live) return live
    const found = await this.findBuiltIn(uri)
    return found?.builtIn
  }

  /** The built-in feed behind the URI of a feed record, if it is served in that account's name. */
  async findBuiltIn(feed: string): Promise<ServedBuiltIn | undefined> {
    const { definitions, publisherDid, index } = this.#options
    const [, author = '', rkey = ''] = FEED_URI.exec(feed) ?? []
    const builtIn = this.#builtIn.get(rkey)
    if (builtIn === undefined || definitions.find(feed)?.isServed) return undefined
    const isServed = publisherDid ? author === publisherDid : await index.hasGenerator(feed)
    return isServed ? { feed, author, builtIn } : undefined
  }

  /**
   * Why the feed behind a URI, which {@link find} does not find, is not served here, for people to
   * read.
   */
  async whyNot(uri: string): Promise<string> {
    const { definitions, index } = this.#options
    const [, author = '', rkey] = FEED_URI.exec(uri) ?? []
    if (rkey === undefined) return `a feed is named by the URI of its record, at://DID/${GENERATOR_NSID}/KEY`
    if (!author.startsWith('did:'))
      return `this feed is asked for by the handle ${author}; name it by its DID`
    const live = definitions.find(uri)
    if (live?.refusal && !live.served) {
      return refusalText(live.refusal)
    }
    if (live) return 'the record of this feed does not name this service'
    if (await index.hasGenerator(uri))
      return `this feed has no algorithm: there is no record ${ALGORITHM_NSID}/${rkey} beside its own`
    return 'this feed is not known here'
  }

  /** All feeds that are served. */
  async list(): Promise<ServedFeed[]> {
    const { definitions, publisherDid, index } = this.#options
    const defined = definitions.served().map((live) => this.#defined(live))
    const taken = new Set(defined.map(({ uri }) => uri))
    const named = publisherDid
      ? [...this.#builtIn.keys()].map((rkey) => ({
          uri: `at://${publisherDid}/${GENERATOR_NSID}/${rkey}`,
          rkey,
        }))
      : await index.generators()
    const others = named.flatMap(({ uri, rkey }) => {
      const feed = this.#builtIn.get(rkey)
      return feed && !taken.has(uri) ? this.#served(uri, feed) : []
    })
    return [...others, ...defined]
  }

  #live(uri: string): LiveDefinition | undefined {
    const live = this.#options.definitions.find(uri)
    return live?.isServed && live.feed === uri ? live : undefined
  }

  #served(uri: string, feed: BuiltInFeed): ServedFeed {
    const { displayName, description, plan } = feed
    return {
      uri,
      displayName,
      description,
      needsViewer: plan.isPersonal,
      looksAtViewer: plan.looksAtViewer,
      asksMutuals: plan.asksMutuals,
      page: (request) => this.#page(feed, request),
    }
  }

  #defined(live: LiveDefinition): ServedFeed {
    return {
      uri: live.feed,
      displayName: live.rkey,
      description: `A feed by the algorithm of ${live.author}`,
      needsViewer: live.plan?.isPersonal ?? false,
      looksAtViewer: live.plan?.looksAtViewer ?? false,
      asksMutuals: live.plan?.asksMutuals ?? false,
      page: (request) => this.#pageOrCold(live, request),
    }
  }

  #page(algorithm: FeedAlgorithm, request: FeedRequest): Promise<FeedPage> {
    return servePage(algorithm, request, this.#options.deps, (uri) => this.algorithm(uri))
  }

  async #pageOrCold(live: LiveDefinition, request: FeedRequest): Promise<FeedPage> {
    const { cursor, isNew } = request
    const isCold = cursor === undefined ? isNew : cursor.startsWith(COLD)
    const coldStart = live.plan?.definition.viewer?.coldStart
    const other = isCold && coldStart ? await this.#coldFeed(live, coldStart.feed) : undefined
    if (other === undefined) {
      // What began cold and has no such feed any more begins anew.
      const known = cursor?.startsWith(COLD) ? undefined : cursor
      return this.#page(live, { ...request, cursor: known })
    }
    const page = await other({ ...request, isNew: false, cursor: cursor?.slice(COLD.length) })
    return { ...page, cursor: page.cursor === undefined ? undefined : `${COLD}${page.cursor}` }
  }

  /**
   * The feed that is shown until something is known of the viewer; one of this host that is not
   * itself made for them.
   */
  async #coldFeed(live: LiveDefinition, uri: string): Promise<Feed | undefined> {
    const feed = feedUriOf(uri)
    const other = feed === live.feed ? undefined : await this.algorithm(feed)
    if (other?.plan === undefined || other.plan.isPersonal) return undefined
    return (request) => this.#page(other, request)
  }
}
