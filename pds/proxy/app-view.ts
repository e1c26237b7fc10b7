/** The AppView of this server, asked by the server itself. */

import { AtUri, isValidDid } from '@atproto/syntax'
import { DomainError } from '#platform/errors.ts'
import type { ServiceTokens } from '../auth/service-tokens.ts'
import { APP_VIEW_ID, type Destination, type NamedService } from './destinations.ts'
import { UpstreamError, UpstreamUnreachableError } from './errors.ts'
import type { Upstream } from './upstream.ts'

/** What a query of the AppView is given. */
export type QueryParams = Readonly<Record<string, string | number | readonly string[] | undefined>>

export class AppView {
  readonly did: string
  readonly destination: Destination
  readonly #upstream: Upstream
  readonly #tokens: ServiceTokens

  constructor({ url, did }: NamedService, upstream: Upstream, tokens: ServiceTokens) {
    this.did = did
    this.destination = { did, url, serviceId: APP_VIEW_ID }
    this.#upstream = upstream
    this.#tokens = tokens
  }

  /**
   * The response to a query.
   * @param asker the account that asks; anonymous if omitted
   * @throws UpstreamError, UpstreamUnreachableError
   */
  async query(nsid: string, params: QueryParams, asker?: { id: number; did: string }): Promise<unknown> {
    const search = new URLSearchParams()
    for (const [name, value] of Object.entries(params)) {
      for (const one of Array.isArray(value) ? value : [value]) {
        if (one !== undefined) search.append(name, String(one))
      }
    }
    const token = asker && (await this.#tokens.sign(asker, { audience: this.did, method: nsid }))
    return this.#upstream.json({
      origin: this.destination.url,
      method: 'GET',
      path: `/xrpc/${nsid}?${search}`,
      headers: { authorization: token && `Bearer ${token}` },
    })
  }

  /**
   * The DID of the generator that a feed's record names.
   * @throws DomainError, UpstreamError, UpstreamUnreachableError
   */
  async generatorOf(feed: string): Promise<string> {
    const { host: repo, collection, rkey } = new AtUri(feed)
    const answer = await this.query('com.atproto.repo.getRecord', { repo, collection, rkey })
    const did = (answer as { value?: { did?: unknown } } | undefined)?.value?.did
    if (typeof did !== 'string') throw new DomainError('invalid', 'could not resolve feed did', 'UnknownFeed')
    return did
  }

  /**
   * The DID that a handle resolves to; undefined when the AppView knows none, or cannot be asked.
   */
  async resolveHandle(handle: string): Promise<string | undefined> {
    try {
      const answer = await this.query('com.atproto.identity.resolveHandle', { handle })
      const did = (answer as { did?: unknown } | undefined)?.did
      return typeof did === 'string' && isValidDid(did) ? did : undefined
    } catch (error) {
      if (error instanceof UpstreamError || error instanceof UpstreamUnreachableError) return undefined
      throw error
    }
  }
}
