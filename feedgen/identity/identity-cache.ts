/**
 * The keys that authors sign with and the servers that they are at, out of their DID documents:
 * kept, fetched when needed, fetched again when they may have changed.
 *
 * Strangers choose which DIDs are looked up, so look-ups are bounded in number and, by the fetch
 * that is handed in, in time, size and where they go.
 */

import {
  type DidDocument,
  DidNotFoundError,
  DidResolver,
  PoorlyFormattedDidDocumentError,
  PoorlyFormattedDidError,
  UnsupportedDidMethodError,
  UnsupportedDidWebPathError,
} from '@atproto/identity'
import type { Fetch } from '#platform/fetch.ts'
import { Slots } from '#platform/semaphore.ts'
import { DAY_MS } from '#platform/time.ts'
import { KeyError, type PublicKey, parseVerificationMethod } from '#protocol/keys.ts'

/**
 * There is no key for a DID: it does not exist, cannot be fetched from its host, or has no signing
 * key.
 */
export class UnknownAuthorError extends Error {
  override name = 'UnknownAuthorError'
  readonly did: string
  constructor(did: string, options?: ErrorOptions) {
    super(`no signing key is known for ${did.slice(0, 200)}`, options)
    this.did = did
  }
}

/** The PLC directory does not answer: nothing can be said about the DID now. */
export class DirectoryDownError extends Error {
  override name = 'DirectoryDownError'
}

export interface AuthorKeysOptions {
  plcUrl: string
  fetch: Fetch
  /** Entries that are kept. */
  keysMax?: number
}

const keysMaxDefault = 200_000
/** A document that no event spoke about may still have changed. */
const keyAgeMsMax = DAY_MS
/** For how long a DID without a key is not asked for again. */
const absenceAgeMsMax = 30_000
/**
 * Between two fetches because a signature did not fit: forged events must not become a flood of
 * requests to the directory.
 */
const refreshIntervalMs = 1000
const lookupsAtOnceMax = 64
const lookupTimeoutMs = 5000

/** What a document says. */
interface Identity {
  /** Null when the author has none. */
  key: PublicKey | null
  /** The URL of the author's server. */
  server: string | null
}

interface Entry extends Identity {
  readonly fetchedAt: number
  /** When it was fetched because a signature did not fit. */
  readonly refreshedAt: number
}

export class AuthorKeys {
  readonly #plcUrl: string
  readonly #fetch: Fetch
  readonly #resolver: DidResolver
  readonly #keysMax: number
  /** In the order of their last fetch. */
  readonly #entries = new Map<string, Entry>()
  readonly #underWay = new Map<string, Promise<Identity>>()
  readonly #slots = new Slots(lookupsAtOnceMax)

  constructor({ plcUrl, fetch, keysMax = keysMaxDefault }: AuthorKeysOptions) {
    this.#plcUrl = plcUrl
    this.#fetch = fetch
    this.#keysMax = keysMax
    this.#resolver = new DidResolver({
      plcUrl,
      fetch: fetch as typeof globalThis.fetch,
      timeout: lookupTimeoutMs,
    })
  }

  /** The key if it is at hand. */
  known(did: string): PublicKey | undefined {
    const entry = this.#entries.get(did)
    return entry?.key && Date.now() - entry.fetchedAt < keyAgeMsMax ? entry.key : undefined
  }

  /**
   * The key that the DID's owner signs with.
   * @throws UnknownAuthorError, DirectoryDownError
   */
  async get(did: string): Promise<PublicKey> {
    const known = this.known(did)
    if (known) return known
    const entry = this.#entries.get(did)
    if (entry && entry.key === null && Date.now() - entry.fetchedAt < absenceAgeMsMax)
      throw new UnknownAuthorError(did)
    return keyIn(did, await this.#lookUp(did, entry?.refreshedAt ?? 0))
  }

  /**
   * The URL of the server that the DID's owner is at.
   * @throws UnknownAuthorError, DirectoryDownError
   */
  async server(did: string): Promise<string> {
    const entry = this.#entries.get(did)
    const isFresh = entry && Date.now() - entry.fetchedAt < (entry.server ? keyAgeMsMax : absenceAgeMsMax)
    const { server } = isFresh ? entry : await this.#lookUp(did, entry?.refreshedAt ?? 0)
    if (server === null) throw new UnknownAuthorError(did)
    return server
  }

  /**
   * The key, fetched again because a signature did not fit the one at hand; that one again if it
   * was fetched so a moment ago.
   * @throws UnknownAuthorError, DirectoryDownError
   */
  async refresh(did: string): Promise<PublicKey> {
    const entry = this.#entries.get(did)
    const now = Date.now()
    if (entry?.key && now - entry.refreshedAt < refreshIntervalMs) return entry.key
    return keyIn(did, await this.#lookUp(did, now))
  }

  /** Forgets the key: the identity may have changed. */
  forget(did: string): void {
    this.#entries.delete(did)
    // What is under way may bring the document from before; it is for those who wait for it, and is
    // not kept.
    this.#underWay.delete(did)
  }

  /** Whether the PLC directory answers at all. */
  async directoryAnswers(): Promise<boolean> {
    try {
      const response = await this.#fetch(new URL('/_health', this.#plcUrl))
      await response.body?.cancel()
      return response.ok
    } catch {
      return false
    }
  }

  #lookUp(did: string, refreshedAt: number): Promise<Identity> {
    const found = this.#underWay.get(did)
    if (found !== undefined) return found
    const lookup = this.#slots
      .run(() => this.#fetchIdentity(did))
      .then((identity) => {
        if (this.#underWay.get(did) === lookup) {
          this.#underWay.delete(did)
          this.#keep(did, { ...identity, fetchedAt: Date.now(), refreshedAt })
        }
        return identity
      })
      .catch((error) => {
        if (this.#underWay.get(did) === lookup) this.#underWay.delete(did)
        throw error
      })
    this.#underWay.set(did, lookup)
    return lookup
  }

  /** What the document says, which is nothing for a DID that has none as far as anybody can say. */
  async #fetchIdentity(did: string): Promise<Identity> {
    try {
      const document = await this.#resolver.resolveNoCache(did)
      return document ? { key: keyOf(document), server: serverOf(document) } : { key: null, server: null }
    } catch (error) {
      if (isAbout(did, error)) return { key: null, server: null }
      throw new DirectoryDownError(`the PLC directory gave no answer about ${did}`, { cause: error })
    }
  }

  #keep(did: string, entry: Entry): void {
    this.#entries.delete(did)
    this.#entries.set(did, entry)
    const [oldest] = this.#entries.keys()
    if (this.#entries.size > this.#keysMax && oldest !== undefined) this.#entries.delete(oldest)
  }
}

/** The key of a document's `#atproto` method, null when it has none that can be used. */
function keyOf(document: DidDocument): PublicKey | null {
  const method = document.verificationMethod?.find(
    ({ id }) => id === '#atproto' || id === `${document.id}#atproto`,
  )
  if (!method?.publicKeyMultibase) return null
  try {
    return parseVerificationMethod({ type: method.type, publicKeyMultibase: method.publicKeyMultibase })
  } catch (error) {
    if (error instanceof KeyError) return null
    throw error
  }
}

/** The URL of a document's `#atproto_pds` service, null when it has none that can be used. */
function serverOf({ id, service }: DidDocument): string | null {
  const found = service?.find((one) => one.id === '#atproto_pds' || one.id === `${id}#atproto_pds`)
  const endpoint = found?.serviceEndpoint
  return typeof endpoint === 'string' && URL.canParse(endpoint) ? new URL(endpoint).origin : null
}

function keyIn(did: string, { key }: Identity): PublicKey {
  if (key === null) throw new UnknownAuthorError(did)
  return key
}

/**
 * What the directory says of a DID: malformed, unknown, tombstoned. Any other status may be of a
 * proxy before it.
 */
const DIRECTORY_ANSWERS = new Set([400, 404, 410])

/**
 * Whether a failed look-up says something about this DID. What the PLC directory fails to answer
 * says nothing: it is asked again. Any other host is its owner's, who cannot make us wait for it.
 */
function isAbout(did: string, error: unknown): boolean {
  if (!did.startsWith('did:plc:')) return true
  const { status } = error as { status?: number }
  return (
    (status !== undefined && DIRECTORY_ANSWERS.has(status)) ||
    error instanceof DidNotFoundError ||
    error instanceof PoorlyFormattedDidDocumentError ||
    error instanceof PoorlyFormattedDidError ||
    error instanceof UnsupportedDidMethodError ||
    error instanceof UnsupportedDidWebPathError
  )
}
