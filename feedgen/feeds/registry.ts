/**
 * Which feed a URI names. Served are the feeds of live definitions, and the built-in feeds: these in the name of the publisher that is configured, or, when none
 * is, of everyone whose feed record was seen on the firehose and names this service.
 */

import { ALGORITHM_NSID } from '../algorithm/definition.ts'
import type { IndexReader } from '../index/read/reader.ts'
import type { FeedPage, FeedRequest } from './algorithm.ts'
import { definedPage, type Kitchen } from './defined.ts'
import { type Algorithm, algorithms, type Feed } from './index.ts'
import { type Definitions, GENERATOR_NSID, type LiveDefinition, refusalText } from './live-definitions.ts'

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

export interface CatalogueOptions {
  index: IndexReader
  publisherDid?: string
  definitions: Definitions
  kitchen: Kitchen
}

/** Before the cursor of a cold start stands what no other cursor has. */
const COLD = 'cold.'

export class Catalogue {
  readonly #options: CatalogueOptions
  readonly #builtIn: Map<string, Omit<ServedFeed, 'uri'>>

  constructor(options: CatalogueOptions) {
    this.#options = options
    this.#builtIn = new Map(
      algorithms.map((algorithm) => [algorithm.name, builtIn(algorithm, options.index)]),
    )
  }

  /** The feed behind the URI of a feed record, if it is one that is served here. */
  async find(uri: string): Promise<ServedFeed | undefined> {
    const { definitions, publisherDid, index } = this.#options
    const live = definitions.find(uri)
    if (live?.isServed && live.feed === uri) return this.#defined(live)
    const [, author, name] = /^at:\/\/([^/]+)\/app\.bsky\.feed\.generator\/([^/]+)$/.exec(uri) ?? []
    const feed = name === undefined ? undefined : this.#builtIn.get(name)
    if (!feed) return undefined
    const served = publisherDid ? author === publisherDid : await index.hasGenerator(uri)
    return served ? { uri, ...feed } : undefined
  }

  /** Why the feed behind a URI, which {@link find} does not find, is not served here, for people to read. */
  async whyNot(uri: string): Promise<string> {
    const { definitions, index } = this.#options
    const [, author = '', rkey] = /^at:\/\/([^/]+)\/app\.bsky\.feed\.generator\/([^/]+)$/.exec(uri) ?? []
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
      return feed && !taken.has(uri) ? { uri, ...feed } : []
    })
    return [...others, ...defined]
  }

  #defined(live: LiveDefinition): ServedFeed {
    return {
      uri: live.feed,
      displayName: live.rkey,
      description: `A feed by the algorithm of ${live.author}`,
      needsViewer: live.plan?.isPersonal ?? false,
      looksAtViewer: live.plan?.looksAtViewer ?? false,
      asksMutuals: live.plan?.asksMutuals ?? false,
      page: (request) => this.#page(live, request),
    }
  }

  async #page(live: LiveDefinition, request: FeedRequest): Promise<FeedPage> {
    const { kitchen, definitions } = this.#options
    const { cursor, isNew } = request
    const isCold = cursor === undefined ? isNew : cursor.startsWith(COLD)
    const coldStart = live.plan?.definition.viewer?.coldStart
    const other = isCold && coldStart ? await this.#coldFeed(live, coldStart.feed, definitions) : undefined
    if (other === undefined) {
      // What began cold and has no such feed any more begins anew.
      const known = cursor?.startsWith(COLD) ? undefined : cursor
      return definedPage(live, { ...request, cursor: known }, kitchen)
    }
    const page = await other({ ...request, isNew: false, cursor: cursor?.slice(COLD.length) })
    return { ...page, cursor: page.cursor === undefined ? undefined : `${COLD}${page.cursor}` }
  }

  /** The feed that is shown until something is known of the viewer; one of this host that is not itself made for him. */
  async #coldFeed(live: LiveDefinition, uri: string, definitions: Definitions): Promise<Feed | undefined> {
    if (uri === live.feed) return undefined
    const other = definitions.find(uri)
    if (other?.isServed)
      return other.plan?.isPersonal
        ? undefined
        : (request) => definedPage(other, request, this.#options.kitchen)
    const feed = await this.find(uri)
    return feed?.needsViewer ? undefined : feed?.page
  }
}

function builtIn(algorithm: Algorithm, index: IndexReader): Omit<ServedFeed, 'uri'> {
  const { displayName, description, needsViewer, asksMutuals = false } = algorithm
  const looksAtViewer = needsViewer
  return { displayName, description, needsViewer, looksAtViewer, asksMutuals, page: algorithm.open(index) }
}
