/** Where labelers are and which keys they sign with, out of their DID documents. */

import { type DidDocument, DidResolver } from '@atproto/identity'
import type { Fetch } from '#platform/fetch.ts'
import { HOUR_MS, MINUTE_MS } from '#platform/time.ts'
import { type PublicKey, parseVerificationMethod } from '#protocol/keys.ts'

export interface Labeler {
  /** The URL of its server. */
  endpoint: string
  key: PublicKey
}

/** A DID whose document cannot be had, or names no labeler. */
export class UnknownLabelerError extends Error {
  override name = 'UnknownLabelerError'
}

const ageMsMax = HOUR_MS
/** Between two fetches because a signature did not fit. */
const refreshIntervalMs = MINUTE_MS
const lookupTimeoutMs = 5000

export class Labelers {
  readonly #resolver: DidResolver
  readonly #known = new Map<string, { labeler: Promise<Labeler>; fetchedAt: number }>()

  constructor({ plcUrl, fetch }: { plcUrl: string; fetch: Fetch }) {
    this.#resolver = new DidResolver({
      plcUrl,
      fetch: fetch as typeof globalThis.fetch,
      timeout: lookupTimeoutMs,
    })
  }

  /** @throws UnknownLabelerError */
  get(did: string): Promise<Labeler> {
    return this.#notOlderThan(ageMsMax, did)
  }

  /**
   * As its document says now, or a moment ago: it may have changed.
   * @throws UnknownLabelerError
   */
  refresh(did: string): Promise<Labeler> {
    return this.#notOlderThan(refreshIntervalMs, did)
  }

  #notOlderThan(ageMsMax: number, did: string): Promise<Labeler> {
    const known = this.#known.get(did)
    if (known && Date.now() - known.fetchedAt < ageMsMax) return known.labeler
    const labeler = this.#look(did)
    this.#known.set(did, { labeler, fetchedAt: Date.now() })
    // A failure is not kept: whoever comes next tries again.
    labeler.catch(() => {
      if (this.#known.get(did)?.labeler === labeler) this.#known.delete(did)
    })
    return labeler
  }

  async #look(did: string): Promise<Labeler> {
    try {
      const document = await this.#resolver.resolveNoCache(did)
      if (document) return labelerOf(document)
    } catch (error) {
      throw new UnknownLabelerError(`no labeler is known for ${did}`, { cause: error })
    }
    throw new UnknownLabelerError(`no labeler is known for ${did}`)
  }
}

function labelerOf({ id, service, verificationMethod }: DidDocument): Labeler {
  const isNamed = (name: string) => (part: { id: string }) => part.id === name || part.id === `${id}${name}`
  const endpoint = service?.find(isNamed('#atproto_labeler'))?.serviceEndpoint
  const method = verificationMethod?.find(isNamed('#atproto_label'))
  if (typeof endpoint !== 'string' || !URL.canParse(endpoint) || !method)
    throw new Error('the document names no labeler')
  return { endpoint, key: parseVerificationMethod(method) }
}
