/** Hops that start from some of the posts of their sources. */
import { describe, expect, test } from 'vitest'
import { compile } from '../../../feedgen/algorithm/compile.ts'
import type { Definition, Filter, Source } from '../../../feedgen/algorithm/definition.ts'
import { warningsOf } from '../../../feedgen/algorithm/lint.ts'
import { readDefinition, writeDefinition } from '../../../feedgen/algorithm/read.ts'
import { decide } from '../../../feedgen/algorithm/rule.ts'
import { rank } from '../../../feedgen/engine/evaluate.ts'
import { MemoryFacts } from './memory.ts'

const now = Date.parse('2026-11-20T12:00:00Z')
const [ana, ben] = ['did:plc:ana', 'did:plc:ben']
const network: Source = { kind: 'network', windowHours: 24 }
const herons: Filter = { kind: 'text', words: ['heron'] }

const definition = (parts: Partial<Definition>): Definition =>
  readDefinition(writeDefinition({ sources: [network], createdAt: '2026-11-01T00:00:00.000Z', ...parts }))

/**
 * What a definition has: of what was taken in as it came by, and of the past searched; they must
 * agree.
 */
async function feed(facts: MemoryFacts, parts: Partial<Definition>): Promise<string[]> {
  const plan = compile(definition(parts))
  facts.takeIn(1, (features) => plan.intake !== undefined && decide(plan.intake, features) !== false)
  const shownBy = async (asked?: number) => {
    const { items } = await rank(plan, { facts, now, definition: asked })
    const uris = await facts.uris(items.map(({ id }) => id))
    return items.map(({ id }) => uris.get(id) as string).sort()
  }
  const shown = await shownBy(1)
  expect(await shownBy()).toEqual(shown)
  return shown
}

describe('a feed with the quotes of its posts', () => {
  const facts = new MemoryFacts(now)
  const heron = facts.post(ana, 'a heron')
  const duck = facts.post(ana, 'a duck')
  const quote = facts.post(ben, 'look at this', { quote: heron })
  facts.post(ben, 'look at that', { quote: duck })
  const quoteOfQuote = facts.post(ben, 'heron, again', { quote })
  const own: Source = { kind: 'hop', to: 'self', of: [network], where: herons }
  const quotes: Source = { kind: 'hop', to: 'quotes', of: [network], where: herons }

  test('has the posts and what quotes them', async () => {
    expect(await feed(facts, { sources: [own, quotes] })).toEqual([heron, quote, quoteOfQuote].sort())
    expect(await feed(facts, { sources: [quotes] })).toEqual([quote])
    expect(await feed(facts, { sources: [own] })).toEqual([heron, quoteOfQuote].sort())
  })

  test('asks its own conditions of all of them', async () => {
    const where: Filter = { kind: 'author', in: { kind: 'actors', dids: [ben] } }
    expect(await feed(facts, { sources: [own, quotes], where })).toEqual([quote, quoteOfQuote].sort())
  })

  test('tells the starts of other sources, too', async () => {
    const of: Source[] = [{ kind: 'actors', dids: [ana], windowHours: 24 }]
    expect(await feed(facts, { sources: [{ kind: 'hop', to: 'quotes', of, where: herons }] })).toEqual([
      quote,
    ])
    expect(await feed(facts, { sources: [{ kind: 'hop', to: 'self', of, where: herons }] })).toEqual([heron])
  })

  test('starts an inner hop by its own condition', async () => {
    const twice: Source = { kind: 'hop', to: 'quotes', of: [quotes] }
    expect(await feed(facts, { sources: [twice] })).toEqual([quoteOfQuote])
  })
})

test('a start is told by records alone', () => {
  const where: Filter = { kind: 'all', of: [herons, { kind: 'count', of: 'likes', op: 'gt', n: 3 }] }
  const sources: Source[] = [{ kind: 'hop', to: 'quotes', of: [network], where }]
  expect(() => compile(definition({ sources }))).toThrow(/^sources\/0\/where: asks for more than the record/)
})

test('what a start costs and what is odd about it is said', () => {
  const hop = (where?: Filter): Source => ({
    kind: 'hop',
    to: 'self',
    of: [network],
    ...(where && { where }),
  })
  const paths = (sources: Source[]) => compile(definition({ sources })).cost.map(({ path }) => path)
  expect(paths([hop(herons)])).toContain('sources/0/where')
  expect(warningsOf(definition({ sources: [hop()] }))).toMatchObject([
    { path: 'sources/0', kind: 'noEffect' },
  ])
  expect(warningsOf(definition({ sources: [hop({ kind: 'tag', any: ['#'] })] }))).toMatchObject([
    { path: 'sources/0/where/any/0', kind: 'never' },
    { path: 'sources/0', kind: 'never' },
  ])
})
