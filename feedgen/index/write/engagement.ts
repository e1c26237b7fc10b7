/** What people did with posts, as changes that are added up and written at once. */
import type { Rows } from '../rows.ts'
import { type Counts, type PostRow, tierOf } from '../schema.ts'

/** Somebody likes or reposts a post. */
export interface Edge {
  author: number
  subject: number
}

export class Engagement {
  readonly #deltas = new Map<number, Counts>()

  /** Counts a post for the one that it answers and the one that it quotes. */
  countPost({ reply_parent, quote }: Pick<PostRow, 'reply_parent' | 'quote'>, by: 1 | -1): void {
    if (reply_parent) this.#of(reply_parent).replies += by
    if (quote) this.#of(quote).quotes += by
  }

  /**
   * Counts people who began or ceased to like or repost something. The removed records must be gone
   * already, and the added ones not yet be there: what is found for the same author and subject is
   * another record, with which nothing changes.
   */
  async countPeople(rows: Rows, table: 'likes' | 'reposts', removed: Edge[], added: Edge[]): Promise<void> {
    const before = new Map(removed.map((edge) => [pairOf(edge), edge]))
    const after = new Map(added.map((edge) => [pairOf(edge), edge]))
    const pairs = [...new Map([...before, ...after]).values()]
    const others = await rows.find(
      table,
      pairs.map(({ author, subject }) => ({ subject, author })),
    )
    for (const pair of others.map(pairOf)) {
      before.delete(pair)
      after.delete(pair)
    }
    for (const [pair, { subject }] of before) if (!after.has(pair)) this.#of(subject)[table] -= 1
    for (const [pair, { subject }] of after) if (!before.has(pair)) this.#of(subject)[table] += 1
  }

  /**
   * Adds the changes to what is counted, and moves posts to the tier that they now belong to:
   * which, and where to.
   */
  async write(rows: Rows): Promise<Map<number, number>> {
    const deltas = [...this.#deltas].filter(([, counts]) => !isZero(counts))
    const counted = await rows.add(
      'posts',
      deltas.map(([id, counts]) => ({ id, ...counts })),
    )
    const moved = counted.flatMap((row) =>
      tierOf(row) === row.tier ? [] : { id: row.id, tier: tierOf(row) },
    )
    await rows.update('posts', ['id'], moved)
    await rows.update(
      'matches',
      ['post'],
      moved.map(({ id, tier }) => ({ post: id, tier })),
    )
    return new Map(moved.map(({ id, tier }) => [id, tier]))
  }

  #of(subject: number): Counts {
    let counts = this.#deltas.get(subject)
    if (!counts) {
      counts = { likes: 0, reposts: 0, replies: 0, quotes: 0 }
      this.#deltas.set(subject, counts)
    }
    return counts
  }
}

function pairOf({ author, subject }: Edge): string {
  return `${author} ${subject}`
}

function isZero({ likes, reposts, replies, quotes }: Counts): boolean {
  return likes === 0 && reposts === 0 && replies === 0 && quotes === 0
}
