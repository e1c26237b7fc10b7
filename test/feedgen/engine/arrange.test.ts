import { expect, test } from 'vitest'
import { type Arranged, type ArrangeOptions, arrange } from '../../../feedgen/engine/arrange.ts'
import { seededRandom } from '../../support/random.ts'

interface Item extends Arranged {
  id: number
}

/** Items by their authors: `aab` are two of one and one of another. */
function items(authors: string, more: Partial<Item> = {}): Item[] {
  return [...authors].map((author, id) => ({
    id,
    author: author.charCodeAt(0),
    at: -id,
    shares: [],
    ...more,
  }))
}

function authors(list: readonly Item[], options: Omit<ArrangeOptions, 'limit'>): string {
  return arrange(list, { limit: 100, ...options })
    .map(({ author }) => String.fromCharCode(author))
    .join('')
}

test('at most so many of an author', () => {
  expect(authors(items('aabac'), { perAuthor: { max: 1 } })).toBe('abc')
  expect(authors(items('aabac'), { perAuthor: { max: 2 } })).toBe('aabc')
})

test('others between two of an author, as long as there are others', () => {
  expect(authors(items('aabbcc'), { perAuthor: { gap: 1 } })).toBe('ababcc')
  expect(authors(items('aaabc'), { perAuthor: { gap: 2 } })).toBe('abcaa')
})

test('lanes take turns by their shares, and the rest comes last', () => {
  const list = items('xxxxyyz').map((item) => ({ ...item, lane: { x: 0, y: 1 }[letter(item)] }))
  expect(authors(list, { shares: [2, 1] })).toBe('xxyxxyz')
})

test('every n-th place is for the newest that is further down', () => {
  const list = items('abcdef').map((item) => ({ ...item, at: item.id }))
  expect(authors(list, { freshEvery: 2 })).toBe('afbecd')
})

test('one of a thread or page', () => {
  const list = items('abcd').map((item) => ({ ...item, shares: [item.id % 2] }))
  expect(authors(list, {})).toBe('ab')
})

test('whatever is asked, nothing is there twice, and only limits take anything away', () => {
  const random = seededRandom(5)
  for (let round = 0; round < 300; round++) {
    const list = Array.from({ length: random.below(60) }, (_, id) => ({
      id,
      author: random.below(6),
      at: random.below(1000),
      shares: [],
      lane: random.below(3) || undefined,
    }))
    const options = {
      perAuthor: { gap: 1 + random.below(4) },
      freshEvery: 2 + random.below(5),
      shares: [1, 1 + random.below(3), 1],
      limit: 100,
    }
    const arranged = arrange(list, options)
    expect(new Set(arranged).size).toBe(list.length)
    expect(arranged.length).toBe(list.length)
    expect(arrange(list, { ...options, limit: 7 })).toEqual(arranged.slice(0, 7))
    expect(closest(arranged.slice(0, firstForced(arranged, options.perAuthor.gap)))).toBeGreaterThan(
      options.perAuthor.gap,
    )
  }
})

function letter({ author }: Item): 'x' | 'y' {
  return String.fromCharCode(author) as 'x' | 'y'
}

/** From where on all that is left was of authors too near. */
function firstForced(list: readonly Item[], gap: number): number {
  for (let at = 0; at < list.length; at++) {
    const recent = new Set(list.slice(Math.max(0, at - gap), at).map(({ author }) => author))
    if (list.slice(at).every(({ author }) => recent.has(author))) return at
  }
  return list.length
}

/** How near two of an author stand. */
function closest(list: readonly Item[]): number {
  let least = Number.POSITIVE_INFINITY
  for (const [i, a] of list.entries())
    for (const [j, b] of list.entries()) if (i < j && a.author === b.author) least = Math.min(least, j - i)
  return least
}
