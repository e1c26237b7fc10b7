/** Permission sets that were resolved, for the OAuth library. */
import type { LexiconData, LexiconDocument, LexiconStore } from '@atproto/oauth-provider/store'
import type { Store } from '../store/store.ts'

export class ProviderLexicons implements LexiconStore {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  findLexicon(nsid: string): LexiconData | null {
    const row = this.#store.lexicons.get(nsid)
    if (row === undefined) return null
    return {
      createdAt: new Date(row.createdAt),
      updatedAt: new Date(row.updatedAt),
      lastSucceededAt: row.lastSucceededAt === null ? null : new Date(row.lastSucceededAt),
      uri: row.uri,
      lexicon: row.lexicon === null ? null : (JSON.parse(row.lexicon) as LexiconDocument),
    }
  }

  async storeLexicon(nsid: string, data: LexiconData): Promise<void> {
    const row = {
      nsid,
      createdAt: data.createdAt.toISOString(),
      updatedAt: data.updatedAt.toISOString(),
      lastSucceededAt: data.lastSucceededAt?.toISOString() ?? null,
      uri: data.uri,
      lexicon: data.lexicon === null ? null : JSON.stringify(data.lexicon),
    }
    await this.#store.db.write((tx) => this.#store.lexicons.put(tx, row))
  }

  async deleteLexicon(nsid: string): Promise<void> {
    await this.#store.db.write((tx) => this.#store.lexicons.delete(tx, nsid))
  }
}
