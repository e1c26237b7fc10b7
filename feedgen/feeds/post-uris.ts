/** The URIs of posts, which never change: those asked for last are kept. */
import type { PostId } from '../algorithm/facts.ts'
import type { Facts } from '../engine/index-queries.ts'

/** Some 5 MB. */
const URIS_MAX = 50_000

export class PostUris {
  readonly #facts: Pick<Facts, 'uris'>
  /** The ones asked for last come last. */
  readonly #kept = new Map<PostId, string>()

  constructor(facts: Pick<Facts, 'uris'>) {
    this.#facts = facts
  }

  /** The URIs of posts, as far as they are known. */
  async of(ids: readonly PostId[]): Promise<ReadonlyMap<PostId, string>> {
    const missing = ids.filter((id) => !this.#kept.has(id))
    const found = missing.length > 0 ? await this.#facts.uris(missing) : undefined
    const uris = new Map<PostId, string>()
    for (const id of ids) {
      const uri = this.#kept.get(id) ?? found?.get(id)
      if (uri === undefined) continue
      uris.set(id, uri)
      this.#kept.delete(id)
      this.#kept.set(id, uri)
    }
    for (const id of this.#kept.keys()) {
      if (this.#kept.size <= URIS_MAX) break
      this.#kept.delete(id)
    }
    return uris
  }
}
