/**
 * Random test data from a seed: the same seed gives the same data, so that what failed fails again.
 */

/** Numbers that look random. */
export interface Random {
  /** A whole number from 0 up to `below`, without it. */
  below(below: number): number
  /** One of the items. */
  pick<T>(items: readonly T[]): T
  /** That many bytes. */
  bytes(length: number): Buffer
}

/** The generator of a seed (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number) => Math.floor(next() * limit)
  return {
    below,
    pick: (items) => items[below(items.length)] as (typeof items)[number],
    bytes: (length) => Buffer.from(Array.from({ length }, () => below(256))),
  }
}

/**
 * The bytes with a few of them changed, taken out, doubled or cut off: most of it is still
 * well-formed.
 */
export function mutate(bytes: Uint8Array, random: Random): Buffer {
  let result = Buffer.from(bytes)
  for (let changes = 1 + random.below(3); changes > 0; changes--) {
    const at = random.below(result.length + 1)
    switch (random.below(5)) {
      case 0:
        if (at < result.length) result[at] = random.below(256)
        break
      case 1:
        if (at < result.length) result[at] = (result[at] as number) ^ (1 << random.below(8))
        break
      case 2:
        result = result.subarray(0, at)
        break
      case 3:
        result = Buffer.concat([result.subarray(0, at), result.subarray(at + 1)])
        break
      default:
        result = Buffer.concat([
          result.subarray(0, at),
          random.bytes(1 + random.below(4)),
          result.subarray(at),
        ])
    }
  }
  return result
}
