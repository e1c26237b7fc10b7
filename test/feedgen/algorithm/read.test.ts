import { describe, expect, test } from 'vitest'
import { compile } from '../../../feedgen/algorithm/compile.ts'
import { totalOf } from '../../../feedgen/algorithm/cost.ts'
import {
  definitionDepthMax,
  definitionNodesMax,
  InvalidDefinitionError,
  readDefinition,
} from '../../../feedgen/algorithm/read.ts'
import { regexStepsMax } from '../../../feedgen/algorithm/regex.ts'

const base = 'social.atoll.feed'
const network = { $type: `${base}.sources#network`, windowHours: 24 }
const not = (of: unknown) => ({ $type: `${base}.where#not`, of })
const where = (kind: string, fields: object) => ({ $type: `${base}.where#${kind}`, ...fields })
const definition = (fields: object = {}) => ({
  sources: [network],
  createdAt: '2026-11-01T00:00:00Z',
  ...fields,
})

function fault(record: unknown): { path: string; reason: string } {
  try {
    compile(readDefinition(record))
  } catch (error) {
    if (error instanceof InvalidDefinitionError) return error
    throw error
  }
  throw new Error('it was not refused')
}

function nested(levels: number): unknown {
  let filter: unknown = where('tag', { any: ['x'] })
  for (let i = 0; i < levels; i++) filter = not(filter)
  return definition({ where: filter })
}

describe('a definition is refused, with the path of what is wrong, when', () => {
  test.for<[string, unknown, string, RegExp]>([
    ['it is no object', 'all posts', '', /object/],
    ['it is another record', definition({ $type: 'app.bsky.feed.post' }), '$type', /algorithm/],
    ['it has no source', definition({ sources: [] }), 'sources', /fewer than 1/],
    ['it has a stage that is not known', definition({ shuffle: {} }), 'shuffle', /not known/],
    [
      'a source is not known',
      definition({ sources: [network, { $type: `${base}.sources#oracle` }] }),
      'sources/1',
      /must be one of/,
    ],
    [
      'a filter is where a source belongs',
      definition({ sources: [where('tag', { any: ['x'] })] }),
      'sources/0',
      /one of/,
    ],
    [
      'a part has a field that is not known',
      definition({ where: not(where('tag', { any: ['x'], fuzzy: true })) }),
      'where/of/fuzzy',
      /not known/,
    ],
    [
      'a field is called like one of every object',
      definition({ where: where('tag', { any: ['x'], constructor: 1 }) }),
      'where/constructor',
      /not known/,
    ],
    [
      'a number is out of bounds',
      definition({ sources: [{ ...network, windowHours: 10_000 }] }),
      'sources/0/windowHours',
      /greater than/,
    ],
    [
      'a number is a fraction',
      definition({ sources: [{ ...network, windowHours: 1.5 }] }),
      'sources/0/windowHours',
      /integer/,
    ],
    [
      'a DID is none',
      definition({ sources: [{ ...network, $type: `${base}.sources#actors`, dids: ['me'] }] }),
      'sources/0/dids/0',
      /did/,
    ],
    [
      'a text is looked for in two ways',
      definition({ where: where('text', { words: ['a'], regex: 'b' }) }),
      'where',
      /exactly one/,
    ],
    [
      'a word has no letters',
      definition({ where: where('text', { words: ['ok', '...'] }) }),
      'where/words/1',
      /no word/,
    ],
    [
      'a regular expression is none',
      definition({ where: not(where('text', { regex: '(' })) }),
      'where/of/regex',
      /missing closing/,
    ],
    [
      'a regular expression looks behind',
      definition({ where: where('text', { regex: '(?<=a)b' }) }),
      'where/regex',
      /./,
    ],
    [
      'a regular expression is too large',
      definition({ where: where('text', { regex: '(?:[a-z0-9]{1,30}[A-Z]{1,30}){1,14}'.repeat(9) }) }),
      'where/regex',
      /steps|repeat|large/,
    ],
    ['the order needs terms', definition({ score: { order: 'score' } }), 'score', /terms/],
    [
      'terms say nothing in the order',
      definition({
        score: { order: 'newest', terms: [{ $type: `${base}.score#likes`, weightMilli: 1 }] },
      }),
      'score',
      /neither/,
    ],
    ['it is nested too deep', nested(definitionDepthMax), '', /deeper/],
    ['it is nested without end', nested(20_000), '', /deeper/],
    [
      'it is too large',
      definition({ where: where('any', { of: Array(definitionNodesMax).fill(1) }) }),
      '',
      /parts/,
    ],
  ])('%s', ([, record, path, reason]) => {
    const { path: at, reason: why } = fault(record)
    expect(at).toBe(path)
    expect(why).toMatch(reason)
  })
})

test('regular expressions take time by the length of the text, however they are built', () => {
  const { where: rule } = compile(readDefinition(definition({ where: where('text', { regex: '(x+x+)+y' }) })))
  if (rule?.op !== 'says') throw new Error('no test')
  const features = { texts: { text: 'x'.repeat(3000) } } as never
  // Of this thread alone, so that others may keep the machine busy.
  const before = process.threadCpuUsage()
  expect(rule.test(features)).toBe(false)
  expect(process.threadCpuUsage(before).user).toBeLessThan(500_000)
  expect(regexStepsMax).toBeLessThan(10_000)
})

test('what looks at more posts costs more', () => {
  const cost = (filter: unknown) =>
    totalOf(compile(readDefinition(definition(filter ? { where: filter } : {}))).cost)
  const word = where('text', { words: ['astronomy'] })
  const regex = where('text', { regex: 'astronom' })
  expect(cost(word)).toBeLessThan(cost(where('lang', { any: ['en'] })))
  expect(cost(where('lang', { any: ['en'] }))).toBeLessThan(cost(regex))
  expect(cost(where('all', { of: [word, regex] }))).toBeLessThan(cost(regex) / 3)
})

test('to keep posts longer than a month costs by how many they are', () => {
  const cost = (windowHours: number, filter: object) =>
    totalOf(
      compile(readDefinition(definition({ sources: [{ ...network, windowHours }], where: filter }))).cost,
    )
  const [rare, common] = [where('tag', { any: ['x'] }), where('lang', { any: ['pt'] })]
  expect(cost(720, rare)).toBe(cost(24, rare))
  expect(cost(720, common)).toBe(cost(24, common))
  expect(cost(8760, rare) - cost(720, rare)).toBeLessThan(10)
  expect(cost(8760, common)).toBeGreaterThan(500)
  expect(fault(definition({ sources: [{ ...network, windowHours: 8761 }] })).path).toBe(
    'sources/0/windowHours',
  )
})
