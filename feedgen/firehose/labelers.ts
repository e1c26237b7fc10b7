/** Where labelers are and which keys they sign with, out of their DID documents. */
import {
  type DidDocument,
  DidResolver,
  PoorlyFormattedDidDocumentError,
  PoorlyFormattedDidError,
  UnsupportedDidMethodError,
  UnsupportedDidWebPathError,
} from '@atproto/identity'
import type { Fetch } from '#platform/fetch.ts'
import { HOUR_MS, MINUTE_MS } from '#platform/time.ts'
import { KeyError, type PublicKey, parseVerificationMethod } from '#protocol/keys.ts'

export interface Labeler {
  /** The URL of its server. */
  endpoint: string
  key: PublicKey
}

/** A DID without a document, or whose document names no labeler. */
export class UnknownLabelerError extends Error {
  override name = 'UnknownLabelerError'
}

/** The document cannot be had now: nothing can be said of the labeler. */
export class UnreachableLabelerError extends Error {
  override name = 'UnreachableLabelerError'
}

const ageMsMax = HOUR_MS
/** Between two fetches because a signature did not fit. */
const refreshIntervalMs = MINUTE_MS
const lookupTimeoutMs = 5000
/** For so long the last document is used where a newer one cannot be had. */
const RETRY_MS = 30_000

interface Known {
  readonly labeler: Promise<Labeler>
  readonly fetchedAt: number
  /** As it was found last. */
  readonly last?: Labeler
}

export class Labelers {
  readonly #resolver: DidResolver
  readonly #known = new Map<string, Known>()

  constructor({ plcUrl, fetch }: { plcUrl: string; fetch: Fetch }) {
    this.#resolver = new DidResolver({
      plcUrl,
      fetch: fetch as typeof globalThis.fetch,
      timeout: lookupTimeoutMs,
    })
  }

  /**
   * As its document said lately, or last if that cannot be had now.
   * @throws UnknownLabelerError, UnreachableLabelerError
   */
  async get(did: string): Promise<Labeler> {
    try {
      return await this.#notOlderThan(ageMsMax, did)
    } catch (error) {
      const last = this.#known.get(did)?.last
      if (last === undefined || !(error instanceof UnreachableLabelerError)) throw error
      this.#known.set(did, {
        labeler: Promise.resolve(last),
        fetchedAt: Date.now() - ageMsMax + RETRY_MS,
        last,
      })
      return last
    }
  }

  /**
   * As its document says now, or a moment ago: it may have changed.
   * @throws UnknownLabelerError, UnreachableLabelerError
   */
  refresh(did: string): Promise<Labeler> {
    return this.#notOlderThan(refreshIntervalMs, did)
  }

  #notOlderThan(ageMsMax: number, did: string): Promise<Labeler> {
    const known = this.#known.get(did)
    if (known && Date.now() - known.fetchedAt < ageMsMax) return known.labeler
    const labeler = this.#look(did)
    const fetchedAt = Date.now()
    this.#known.set(did, { labeler, fetchedAt, last: known?.last })
    const keep = (found: Known | undefined) => {
      if (this.#known.get(did)?.labeler !== labeler) return
      if (found) this.#known.set(did, found)
      else this.#known.delete(did)
    }
    labeler.then(
      (last) => keep({ labeler, fetchedAt, last }),
      // A failure is not kept: the next call tries again.
      (error) => {
        const isUnknown = error instanceof UnknownLabelerError
        keep(isUnknown || known?.last === undefined ? undefined : { ...known, fetchedAt: 0 })
      },
    )
    return labeler
  }

  async #look(did: string): Promise<Labeler> {
    try {
      const document = await this.#resolver.resolveNoCache(did)
      if (document) return labelerOf(document)
    } catch (error) {
      if (isAboutDocument(error))
        throw new UnknownLabelerError(`no labeler is known for ${did}`, { cause: error })
      throw new UnreachableLabelerError(`the DID document of ${did} cannot be had`, { cause: error })
    }
    throw new UnknownLabelerError(`no labeler is known for ${did}`)
  }
}

function labelerOf({ id, service, verificationMethod }: DidDocument): Labeler {
  const isNamed = (name: string) => (part: { id: string }) => part.id === name || part.id === `${id}${name}`
  const endpoint = service?.find(isNamed('#atproto_labeler'))?.serviceEndpoint
  const method = verificationMethod?.find(isNamed('#atproto_label'))
  if (typeof endpoint !== 'string' || !URL.canParse(endpoint) || !method)
    throw new UnknownLabelerError('the document names no labeler')
  return { endpoint, key: parseVerificationMethod(method) }
}

/** Whether an error says something about the document, and not only that it cannot be had now. */
function isAboutDocument(error: unknown): boolean {
  return (
    error instanceof UnknownLabelerError ||
    error instanceof KeyError ||
    error instanceof PoorlyFormattedDidDocumentError ||
    error instanceof PoorlyFormattedDidError ||
    error instanceof UnsupportedDidMethodError ||
    error instanceof UnsupportedDidWebPathError
  )
}
