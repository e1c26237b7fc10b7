/** Numbers of scores: pure. */

/** How a count turns into points. */
export function curveOf(count: number, curve: 'linear' | 'log' | 'power' = 'linear', exponent = 1): number {
  const n = Math.max(0, count)
  if (curve === 'log') return Math.log2(1 + n)
  return curve === 'power' ? n ** exponent : n
}

export type Fading =
  | { kind: 'hot'; gravityMilli: number; offsetHours: number }
  | { kind: 'decay'; halfLifeHours: number }

/** What is left of a score at an age. */
export function fadeOf(ageHours: number, fading: Fading): number {
  const age = Math.max(0, ageHours)
  if (fading.kind === 'decay') return 2 ** (-age / fading.halfLifeHours)
  return (age + fading.offsetHours) ** (-fading.gravityMilli / 1000)
}

/**
 * How alike those are who like the same: for each account that likes a seed the sum over the seeds
 * it likes, of which one that all the world likes says less than one that few do. `likers` are
 * those of each seed.
 */
export function colikersOf(likers: ReadonlyMap<number, readonly number[]>): Map<number, number> {
  const alike = new Map<number, number>()
  for (const accounts of likers.values()) {
    const weight = 1 / Math.sqrt(accounts.length)
    for (const account of accounts) alike.set(account, (alike.get(account) ?? 0) + weight)
  }
  return alike
}

/** For each post how much it is liked by accounts that weigh so much. */
export function weighLikes(
  likes: ReadonlyMap<number, readonly number[]>,
  weights: ReadonlyMap<number, number>,
): Map<number, number> {
  const weighed = new Map<number, number>()
  for (const [account, posts] of likes) {
    const weight = weights.get(account) ?? 0
    for (const post of posts) weighed.set(post, (weighed.get(post) ?? 0) + weight)
  }
  return weighed
}

/**
 * A number from 0 to 1 that is the same for the same seed and post, and otherwise as good as
 * thrown.
 */
export function chance(seed: number, id: number): number {
  let hash = (seed ^ Math.imul(id, 0x9e3779b1)) >>> 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 0x1_0000_0000
}
