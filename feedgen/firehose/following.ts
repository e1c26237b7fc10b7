/**
 * Everything that is followed: a stream of repositories or a Jetstream for each endpoint that is configured, and the labels of labelers, those that are configured and
 * those that definitions ask for.
 */
import { type Fetch, guardedFetch } from '#platform/fetch.ts'
import { logger } from '#platform/log.ts'
import type { Counts } from './counts.ts'
import { Follower, type FollowerOptions } from './follower.ts'
import { isJetstream, JetstreamStream } from './jetstream.ts'
import type { AuthorKeys } from './keys.ts'
import { Labelers } from './labelers.ts'
import { LabelStream } from './labels.ts'
import { RepoStream } from './repos.ts'
import type { Stream } from './stream.ts'

export interface FollowingOptions extends Omit<FollowerOptions, 'stream'> {
  endpoints: readonly string[]
  /** Those of `endpoints` whose word is taken for what authors signed. */
  trustedEndpoints: readonly string[]
  /** The DIDs of labelers that are followed in any case. */
  labelers: readonly string[]
  serviceDid: string
  plcUrl: string
  /** Let labelers be on this machine. */
  devMode: boolean
  keys: AuthorKeys
  counts: Counts
  /** Fetches DID documents. */
  fetch: Fetch
}

const dictionaryBytesMax = 1024 * 1024
/** The configured ones among them. */
const labelersMax = 50

export class Following implements AsyncDisposable {
  readonly #options: FollowingOptions
  readonly #labelers: Labelers
  readonly #followers = new Map<string, Follower>()

  /** Begins to follow what is configured. */
  constructor(options: FollowingOptions) {
    this.#options = options
    this.#labelers = new Labelers(options)
    for (const endpoint of options.endpoints) this.#follow(this.#streamOf(endpoint))
    for (const did of options.labelers) this.#followLabeler(did)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#followers.values()].map((follower) => follower[Symbol.asyncDispose]()))
  }

  /** Follows these labelers too, as far as there is room. */
  wantLabelers(dids: Iterable<string>): void {
    for (const did of dids) this.#followLabeler(did)
  }

  #streamOf(endpoint: string): Stream {
    const { trustedEndpoints, serviceDid, keys, counts } = this.#options
    const trusted = trustedEndpoints.includes(endpoint)
    if (!isJetstream(endpoint)) return new RepoStream({ endpoint, trusted, serviceDid, keys, counts })
    // The operator chose the endpoint, which may be on this machine.
    const fetch = guardedFetch({ allowPrivate: true, responseBytesMax: dictionaryBytesMax })
    return new JetstreamStream({ endpoint, serviceDid, keys, counts, fetch })
  }

  #followLabeler(did: string): void {
    const { counts, devMode, endpoints, labelers } = this.#options
    const stream = new LabelStream({ did, labelers: this.#labelers, counts, allowPrivate: devMode })
    if (this.#followers.has(stream.name)) return
    if (this.#followers.size >= endpoints.length + Math.max(labelersMax, labelers.length)) {
      logger('firehose').warn(
        { did, todo: 'name the labelers that you want in FEEDGEN_LABELERS' },
        'too many labelers: this one is not followed',
      )
      return
    }
    this.#follow(stream)
  }

  #follow(stream: Stream): void {
    const { start, reconnectDelayMs, index, written } = this.#options
    this.#followers.set(stream.name, new Follower({ stream, start, reconnectDelayMs, index, written }))
  }
}
