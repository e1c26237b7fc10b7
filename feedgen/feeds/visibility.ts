/**
 * Whether posts of lists that were made a while ago may still be shown: asked of the index at most
 * every so often for each post.
 */
import type { PostId } from '../algorithm/facts.ts'
import type { Facts } from '../engine/index-queries.ts'

/** How long a post that is gone may still be shown. */
const visibleMsMax = 250
/** Answers that are remembered. */
const answersMax = 50_000

interface Answer {
  readonly isVisible: boolean
  readonly at: number
}

export class Visibility {
  readonly #facts: Pick<Facts, 'visible'>
  readonly #now: () => number
  /**
   * In the order in which they were given; to those who are signed in, and to those who are not.
   */
  readonly #answers = { true: new Map<PostId, Answer>(), false: new Map<PostId, Answer>() }

  constructor(facts: Pick<Facts, 'visible'>, now: () => number = Date.now) {
    this.#facts = facts
    this.#now = now
  }

  /** Those of the posts that may be shown. */
  async of(ids: readonly PostId[], signedIn: boolean): Promise<ReadonlySet<PostId>> {
    const answers = this.#answers[`${signedIn}`]
    const now = this.#now()
    const known = (id: PostId) => {
      const answer = answers.get(id)
      return answer && now >= answer.at && now - answer.at < visibleMsMax ? answer : undefined
    }
    const unknown = ids.filter((id) => known(id) === undefined)
    if (unknown.length > 0) {
      const visible = await this.#facts.visible(unknown, { signedIn })
      for (const id of unknown) {
        answers.delete(id)
        answers.set(id, { isVisible: visible.has(id), at: now })
      }
      const found = new Set(ids.filter((id) => answers.get(id)?.isVisible))
      for (const id of answers.keys()) {
        if (answers.size <= answersMax) break
        answers.delete(id)
      }
      return found
    }
    return new Set(ids.filter((id) => known(id)?.isVisible))
  }
}
