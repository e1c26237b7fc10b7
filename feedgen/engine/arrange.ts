/**
 * Puts a ranked list into the order in which it is shown: pure. The steps come in the order of
 * their functions here.
 */

/** What an arrangement looks at. */
export interface Arranged {
  readonly author: number
  /** When it was made, in milliseconds since 1970. */
  readonly at: number
  /** What several posts may share: their thread, their linked page. */
  readonly shares: readonly (number | string)[]
  /** The lane that it is in; none when it is in none of them. */
  readonly lane?: number
}

export interface ArrangeOptions {
  readonly perAuthor?: { readonly max?: number; readonly gap?: number }
  readonly freshEvery?: number
  /** How often each lane gets its turn, beside the others. */
  readonly shares?: readonly number[]
  readonly limit: number
}

export function arrange<T extends Arranged>(ranked: readonly T[], options: ArrangeOptions): T[] {
  const { perAuthor, freshEvery, shares, limit } = options
  let items = firstOfEach(ranked)
  if (perAuthor?.max !== undefined) items = atMost(items, perAuthor.max)
  if (shares) items = takeTurns(items, shares)
  if (freshEvery !== undefined) items = mixIn(items, freshEvery)
  if (perAuthor?.gap !== undefined) items = keepApart(items, perAuthor.gap)
  return items.slice(0, limit)
}

/** Leaves out what shares anything with one before it. */
function firstOfEach<T extends Arranged>(items: readonly T[]): T[] {
  const taken = new Set<number | string>()
  return items.filter(({ shares }) => {
    if (shares.some((share) => taken.has(share))) return false
    for (const share of shares) taken.add(share)
    return true
  })
}

function atMost<T extends Arranged>(items: readonly T[], max: number): T[] {
  const counts = new Map<number, number>()
  return items.filter(({ author }) => {
    const count = (counts.get(author) ?? 0) + 1
    counts.set(author, count)
    return count <= max
  })
}

/**
 * Each lane in its own order, as often as its share says; what is in no lane comes behind them all.
 */
function takeTurns<T extends Arranged>(items: readonly T[], shares: readonly number[]): T[] {
  const lanes = shares.map((_, i) => items.filter(({ lane }) => lane === i))
  const next = lanes.map(() => 0)
  const mixed: T[] = []
  while (next.some((at, i) => at < (lanes[i]?.length ?? 0))) {
    for (const [i, share] of shares.entries()) {
      const at = next[i] as number
      mixed.push(...(lanes[i] as T[]).slice(at, at + share))
      next[i] = at + share
    }
  }
  return [...mixed, ...items.filter(({ lane }) => lane === undefined)]
}

/** Every n-th place is for the newest that is further down. */
function mixIn<T extends Arranged>(items: readonly T[], every: number): T[] {
  const newest = [...items].sort((a, b) => b.at - a.at)
  const placed = new Set<T>()
  const mixed: T[] = []
  let best = 0
  let fresh = 0
  while (mixed.length < items.length) {
    const isFresh = (mixed.length + 1) % every === 0
    const list = isFresh ? newest : items
    let at = isFresh ? fresh : best
    while (placed.has(list[at] as T)) at++
    const item = list[at] as T
    placed.add(item)
    mixed.push(item)
    if (isFresh) fresh = at + 1
    else best = at + 1
  }
  return mixed
}

/** Puts `gap` others between two of an author, for as long as there are others. */
function keepApart<T extends Arranged>(items: readonly T[], gap: number): T[] {
  const waiting = [...items]
  const apart: T[] = []
  while (waiting.length > 0) {
    const recent = new Set(apart.slice(-gap).map(({ author }) => author))
    const at = waiting.findIndex(({ author }) => !recent.has(author))
    apart.push(...waiting.splice(Math.max(0, at), 1))
  }
  return apart
}
