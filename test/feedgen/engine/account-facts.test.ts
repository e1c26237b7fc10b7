/**
 * Definitions that ask how old an author's account is and how many followers it has: what is not
 * known is never true.
 */
import { describe, expect, test } from 'vitest'
import { compile } from '../../../feedgen/algorithm/compile.ts'
import type { Definition, Filter } from '../../../feedgen/algorithm/definition.ts'
import type { AccountFacts } from '../../../feedgen/algorithm/facts.ts'
import { featuresOf } from '../../../feedgen/algorithm/features.ts'
import { warningsOf } from '../../../feedgen/algorithm/lint.ts'
import { readDefinition, writeDefinition } from '../../../feedgen/algorithm/read.ts'
import { compileRule, decide, holds, tell } from '../../../feedgen/algorithm/rule.ts'
import { rank } from '../../../feedgen/engine/evaluate.ts'
import { explain } from '../../../feedgen/engine/explain.ts'
import { HOUR_MS, MemoryFacts } from './memory.ts'

const now = Date.parse('2026-11-20T12:00:00Z')
const [ana, ben, cleo] = ['ana', 'ben', 'cleo'].map((name) => `did:web:${name}.example`) as [
  string,
  string,
  string,
]

const definition = (parts: Partial<Definition>): Definition => ({
  sources: [{ kind: 'network', windowHours: 24 }],
  createdAt: '2026-11-01T00:00:00.000Z',
  ...parts,
})

describe('a rule about the account', () => {
  const known = (facts: Omit<AccountFacts, 'readAt'>): AccountFacts => ({ ...facts, readAt: now })
  const old = known({ createdAt: now - 1000 * HOUR_MS, followers: 50 })
  const future = known({ createdAt: now + 5 * HOUR_MS, followers: 0 })
  const ageless = known({ followers: 50 })
  const unknown = known({})
  const never: Filter = { kind: 'any', of: [] }
  const always: Filter = { kind: 'all', of: [] }
  const famous: Filter = { kind: 'account', followersMin: 50 }

  const table: [filter: Filter, account: AccountFacts | undefined, told: boolean | undefined][] = [
    [famous, old, true],
    [{ kind: 'account', followersMin: 51 }, old, false],
    [{ kind: 'account', followersMax: 50 }, old, true],
    [{ kind: 'account', followersMax: 49 }, old, false],
    [{ kind: 'account', ageHoursMin: 1000 }, old, true],
    [{ kind: 'account', ageHoursMin: 1001 }, old, false],
    [{ kind: 'account', ageHoursMax: 1000, followersMin: 1, followersMax: 60 }, old, true],
    [{ kind: 'account', ageHoursMax: 999, followersMin: 1 }, old, false],
    [{ kind: 'account', ageHoursMax: 0 }, future, true],
    // Half of it may be known, and may be enough to deny it.
    [famous, ageless, true],
    [{ kind: 'account', ageHoursMin: 1 }, ageless, undefined],
    [{ kind: 'account', ageHoursMin: 1, followersMin: 50 }, ageless, undefined],
    [{ kind: 'account', ageHoursMin: 1, followersMin: 51 }, ageless, false],
    // Nothing is known: neither it nor its contrary is true, and what else is asked decides.
    [famous, undefined, undefined],
    [famous, unknown, undefined],
    [{ kind: 'account', followersMin: 0 }, unknown, undefined],
    [{ kind: 'not', of: famous }, undefined, undefined],
    [{ kind: 'not', of: famous }, old, false],
    [{ kind: 'all', of: [famous, never] }, undefined, false],
    [{ kind: 'all', of: [famous, always] }, undefined, undefined],
    [{ kind: 'any', of: [famous, always] }, undefined, true],
    [{ kind: 'any', of: [famous, never] }, undefined, undefined],
    [{ kind: 'not', of: { kind: 'any', of: [famous, never] } }, undefined, undefined],
    [{ kind: 'not', of: { kind: 'all', of: [famous, never] } }, undefined, true],
  ]

  test.for(table)('%j of %j: %s', async ([filter, account, told]) => {
    const facts = new MemoryFacts(now)
    const [post] = [...(await facts.postsByUri([facts.post(ana, 'hello')])).values()]
    const considered = { post: post as NonNullable<typeof post>, isRepost: false, account }
    const around = { now, sets: new Map(), duplicates: new Map() }
    const rule = compileRule(filter, 'where')
    expect(tell(rule, considered, around)).toBe(told)
    expect(holds(rule, considered, around)).toBe(told === true)
  })

  test('is not for the record of a post to decide, so the post is kept as a candidate', () => {
    const features = featuresOf({ $type: 'app.bsky.feed.post', text: 'cats' }, ana)
    const both = (word: string): Filter => ({ kind: 'all', of: [famous, { kind: 'text', words: [word] }] })
    expect(decide(compileRule(famous, ''), features)).toBe(undefined)
    expect(decide(compileRule(both('cats'), ''), features)).toBe(undefined)
    expect(decide(compileRule(both('dogs'), ''), features)).toBe(false)
  })

  test('is read from a record, has a price, and asks for at least one bound', () => {
    const where: Filter = { kind: 'account', ageHoursMin: 24, followersMax: 7 }
    const read = readDefinition(writeDefinition(definition({ where })))
    expect(read.where).toEqual(where)
    const { cost, asksAccounts } = compile(read)
    expect(cost).toContainEqual({ path: 'where', points: 30 })
    expect(asksAccounts).toBe(true)
    expect(compile(definition({})).asksAccounts).toBe(false)
    expect(() => compile(definition({ where: { kind: 'account' } }))).toThrow(/at least one of/)
    expect(() =>
      readDefinition(writeDefinition(definition({ where: { ...where, followersMax: -1 } }))),
    ).toThrow()
  })

  test('is no place for a hop to start from', () => {
    const of = definition({}).sources
    expect(() => compile(definition({ sources: [{ kind: 'hop', to: 'self', of, where: famous }] }))).toThrow(
      /accounts/,
    )
  })

  test('has a warning where no AppView is asked, in lanes too', () => {
    const asking = definition({
      where: { kind: 'not', of: famous },
      arrange: { mix: { lanes: [{ where: { kind: 'account', ageHoursMin: 3 }, share: 1 }] } },
    })
    expect(warningsOf(asking)).toEqual([])
    expect(warningsOf(asking, { knowsAccounts: false })).toMatchObject([
      { path: 'where/of', kind: 'unknown', says: expect.stringMatching(/cannot be told here/) },
      { path: 'arrange/mix/lanes/0/where', kind: 'unknown' },
    ])
    expect(warningsOf(definition({}), { knowsAccounts: false })).toEqual([])
  })
})

describe('a ranking', () => {
  const where: Filter = {
    kind: 'all',
    of: [
      { kind: 'text', words: ['cats'] },
      { kind: 'count', of: 'likes', op: 'gte', n: 1 },
      { kind: 'not', of: { kind: 'account', followersMax: 9 } },
    ],
  }
  const plan = compile(definition({ where }))

  function world() {
    const facts = new MemoryFacts(now)
    const wanted = new Set<number>()
    const rankAt = async (at: number, more = plan) => {
      wanted.clear()
      const accounts = { ageMsMax: 24 * HOUR_MS, want: (account: number) => void wanted.add(account) }
      const { items } = await rank(more, { facts, now: at, accounts })
      const uris = await facts.uris(items.map(({ id }) => id))
      const dids = await facts.dids([...wanted])
      return { shown: items.map(({ id }) => uris.get(id)), wanted: [...dids.values()].sort() }
    }
    return { facts, rankAt }
  }

  test('wants only accounts that matter, and shows their posts once they are known', async () => {
    const { facts, rankAt } = world()
    const one = facts.post(ana, 'cats')
    facts.like(ben, one)
    facts.post(ben, 'dogs')
    facts.post(cleo, 'cats that nobody likes')
    expect(await rankAt(now)).toEqual({ shown: [], wanted: [ana] })
    const why = (await explain(plan, { facts, now }, 1)).why.map(({ path, says }) => [path, says])
    expect(why).toContainEqual(['where/of/2', 'cannot tell'])
    expect(why).toContainEqual(['where', 'cannot tell'])

    facts.know(ana, { followers: 10 })
    expect(await rankAt(now)).toEqual({ shown: [one], wanted: [] })
    facts.know(ana, { followers: 9 })
    expect(await rankAt(now)).toEqual({ shown: [], wanted: [] })
  })

  test('relies on what is old, and wants it again', async () => {
    const { facts, rankAt } = world()
    const one = facts.post(ana, 'cats', { hoursAgo: -20 })
    facts.like(ben, one)
    facts.know(ana, { followers: 10 })
    facts.know(cleo, {})
    const other = facts.post(cleo, 'more cats', { hoursAgo: -20 })
    facts.like(ben, other)
    // The AppView did not know cleo, which may be different an hour later.
    expect(await rankAt(now + HOUR_MS / 2)).toEqual({ shown: [one], wanted: [] })
    expect(await rankAt(now + 2 * HOUR_MS)).toEqual({ shown: [one], wanted: [cleo] })
    expect(await rankAt(now + 25 * HOUR_MS)).toEqual({ shown: [one], wanted: [ana, cleo] })
  })

  test('wants accounts for its lanes', async () => {
    const { facts, rankAt } = world()
    facts.post(ana, 'cats')
    const lane: Filter = { kind: 'account', followersMin: 10 }
    const mixed = compile(definition({ arrange: { mix: { lanes: [{ where: lane, share: 1 }] } } }))
    expect((await rankAt(now, mixed)).wanted).toEqual([ana])
    expect((await rankAt(now, compile(definition({})))).wanted).toEqual([])
  })
})
