/**
 * Everything that is followed: a stream of repositories or a Jetstream for each endpoint that is
 * configured, and the labels of labelers, those that are configured and those that definitions ask
 * for.
 */
import { type Fetch, guardedFetch } from '#platform/fetch.ts'
import { logger } from '#platform/log.ts'
import type { AuthorKeys } from '../identity/identity-cache.ts'
import { Follower, type FollowerOptions } from './consumer.ts'
import type { Counts } from './counts.ts'
import { isJetstream, JetstreamStream } from './jetstream.ts'
import { Labelers } from './labelers.ts'
import { LabelStream } from './labels.ts'
import type { Stream } from './stream.ts'
import { RepoStream } from './subscribe-repos.ts'

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
  /** By the names of their streams. */
  readonly #labelerOf = new Map<string, string>()
  /** The ends of those that are not wanted any more. */
  readonly #ending = new Map<string, Promise<void>>()
  #wanted: ReadonlySet<string> = new Set()
  #isEnding = false

  /** Begins to follow what is configured. */
  constructor(options: FollowingOptions) {
    this.#options = options
    this.#labelers = new Labelers(options)
    for (const endpoint of options.endpoints) this.#follow(this.#streamOf(endpoint))
    for (const did of options.labelers) this.#followLabeler(did)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true
    await Promise.all(this.#ending.values())
    await Promise.all([...this.#followers.values()].map((follower) => follower[Symbol.asyncDispose]()))
  }

  /**
   * Follows these labelers beside the configured ones, as far as there is room, and no others any
   * more.
   */
  wantLabelers(dids: Iterable<string>): void {
    this.#wanted = new Set([...this.#options.labelers, ...dids])
    for (const [name, did] of this.#labelerOf) if (!this.#wanted.has(did)) this.#unfollow(name)
    for (const did of this.#wanted) this.#followLabeler(did)
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
    // One that is still ending writes how far it came; the next goes on from there.
    if (this.#followers.has(stream.name) || this.#ending.has(stream.name)) return
    if (this.#followers.size >= endpoints.length + Math.max(labelersMax, labelers.length)) {
      logger('firehose').warn(
        { did, todo: 'name the labelers that you want in FEEDGEN_LABELERS' },
        'too many labelers: this one is not followed',
      )
      return
    }
    this.#labelerOf.set(stream.name, did)
    this.#follow(stream)
  }

  #unfollow(name: string): void {
    const follower = this.#followers.get(name)
    this.#followers.delete(name)
    this.#labelerOf.delete(name)
    if (follower === undefined) return
    const ending = follower[Symbol.asyncDispose]()
      .catch((error) =>
        logger('firehose').error(
          { err: error, endpoint: name, todo: 'report this with the stack; a restart leaves it' },
          'a labeler cannot be left',
        ),
      )
      .finally(() => {
        this.#ending.delete(name)
        if (!this.#isEnding) for (const did of this.#wanted) this.#followLabeler(did)
      })
    this.#ending.set(name, ending)
  }

  #follow(stream: Stream): void {
    const { start, reconnectDelayMs, index, written } = this.#options
    this.#followers.set(stream.name, new Follower({ stream, start, reconnectDelayMs, index, written }))
  }
}
