/** DID documents in memory, for as long as the operator says, and no more of them than fit. */
import type { CacheResult, DidCache, DidDocument } from '@atproto/identity'

export interface DocumentCacheOptions {
  /** From this age on a document is looked up again, and used meanwhile. */
  readonly staleMs: number
  /** From this age on a document is not used. */
  readonly maxMs: number
}

/**
 * Strangers choose which documents are looked up, and write them: both numbers bound the memory
 * that they take.
 */
const DOCUMENTS_MAX = 5_000
const DOCUMENT_CHARACTERS_MAX = 32_768

export class DocumentCache implements DidCache {
  readonly #options: DocumentCacheOptions
  /** In the order of their insertion. */
  readonly #documents = new Map<string, { doc: DidDocument; updatedAt: number }>()

  constructor(options: DocumentCacheOptions) {
    this.#options = options
  }

  async cacheDid(did: string, doc: DidDocument): Promise<void> {
    this.#documents.delete(did)
    if (JSON.stringify(doc).length > DOCUMENT_CHARACTERS_MAX) return
    const oldest = this.#documents.keys().next()
    if (this.#documents.size >= DOCUMENTS_MAX && !oldest.done) this.#documents.delete(oldest.value)
    this.#documents.set(did, { doc, updatedAt: Date.now() })
  }

  async checkCache(did: string): Promise<CacheResult | null> {
    const kept = this.#documents.get(did)
    if (kept === undefined) return null
    const age = Date.now() - kept.updatedAt
    return { ...kept, did, stale: age > this.#options.staleMs, expired: age > this.#options.maxMs }
  }

  async refreshCache(did: string, getDoc: () => Promise<DidDocument | null>): Promise<void> {
    const doc = await getDoc()
    if (doc !== null) await this.cacheDid(did, doc)
  }

  async clearEntry(did: string): Promise<void> {
    this.#documents.delete(did)
  }

  async clear(): Promise<void> {
    this.#documents.clear()
  }
}
