/** DID documents: resolved under the guard, kept for a while. */
import type { DidCache, DidDocument, DidResolver } from '@atproto/identity'

export class DidDocuments {
  readonly #resolver: DidResolver

  constructor(resolver: DidResolver) {
    this.#resolver = resolver
  }

  /** The document; undefined when there is none, or it cannot be had now. */
  async find(did: string): Promise<DidDocument | undefined> {
    try {
      return (await this.#resolver.resolve(did)) ?? undefined
    } catch {
      return undefined
    }
  }

  /** Forgets what is kept of a document: it was changed. */
  async forget(did: string): Promise<void> {
    await (this.#resolver.cache as DidCache | undefined)?.clearEntry(did)
  }
}
