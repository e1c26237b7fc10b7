/** The matcher finds by keys what its slow twin finds by asking every definition. */
import { describe, expect, test } from 'vitest'
import type { CborObject } from '#protocol/cbor.ts'
import type { Filter } from '../../../feedgen/algorithm/definition.ts'
import { featuresOf, type PostFeatures } from '../../../feedgen/algorithm/features.ts'
import { compileRule, decide, type Rule } from '../../../feedgen/algorithm/rule.ts'
import { Matcher } from '../../../feedgen/feeds/matcher.ts'
import { seededRandom } from '../../support/random.ts'

/** Asks every definition. */
function slowMatch(rules: ReadonlyMap<number, Rule>, features: PostFeatures): number[] {
  return [...rules].flatMap(([id, rule]) => (decide(rule, features) !== false ? [id] : []))
}

const WORDS = ['sun', 'moon', 'sea', 'stars', '東京', 'Straße', 'ﬁre', '🔥', 'не', 'new york', 'don’t']
const TAGS = ['art', 'Music', 'ねこ']
const LANGS = ['en', 'en-GB', 'pt', 'zh-Hant-TW', 'ja']
const DIDS = ['did:plc:a', 'did:plc:b', 'did:plc:c']
const HOSTS = ['example.com', 'news.example.com', 'www.other.org']
type Random = ReturnType<typeof seededRandom>

function some<T>(random: Random, from: readonly T[]): T[] {
  return Array.from({ length: 1 + random.below(2) }, () => random.pick([...from]))
}

function filter(random: Random, depth = 0): Filter {
  const kinds = ['text', 'tag', 'lang', 'domain', 'mention', 'author', 'type', 'media', 'count', 'label']
  const kind = random.pick(depth < 3 ? [...kinds, 'all', 'any', 'not', 'all', 'any'] : kinds)
  const parts = () => Array.from({ length: random.below(4) }, () => filter(random, depth + 1))
  switch (kind) {
    case 'all':
      return { kind, of: parts() }
    case 'any':
      return { kind, of: parts() }
    case 'not':
      return { kind, of: filter(random, depth + 1) }
    case 'text':
      return random.pick<Filter>([
        { kind, words: some(random, WORDS), in: some(random, ['text', 'alt', 'link', 'card'] as const) },
        { kind, phrase: `${random.pick(WORDS)} ${random.pick(WORDS)}` },
        { kind, regex: 's[eu]' },
      ])
    case 'tag':
      return { kind, any: some(random, TAGS) }
    case 'lang':
      return random.pick<Filter>([
        { kind, any: some(random, [...LANGS, 'zh', 'zh-Hant']) },
        { kind, every: some(random, LANGS) },
        { kind, none: some(random, LANGS) },
      ])
    case 'domain':
      return { kind, any: some(random, HOSTS) }
    case 'mention':
      return { kind, dids: some(random, DIDS) }
    case 'author':
      return { kind, in: { kind: 'actors', dids: some(random, DIDS) } }
    case 'type':
      return { kind, any: some(random, ['post', 'reply', 'quote', 'repost'] as const) }
    case 'media':
      return { kind, any: some(random, ['image', 'gallery', 'video', 'card', 'none'] as const) }
    case 'label':
      return { kind, any: ['nudity'] }
    default:
      return { kind: 'count', of: 'likes', op: 'gte', n: 3 }
  }
}

function post(random: Random): PostFeatures {
  const maybe = <T>(value: T): T | undefined => (random.below(2) ? value : undefined)
  const words = Array.from({ length: random.below(5) }, () => random.pick(WORDS)).join(' ')
  const facets = [
    { $type: 'app.bsky.richtext.facet#link', uri: `https://${random.pick(HOSTS)}/sea` },
    { $type: 'app.bsky.richtext.facet#mention', did: random.pick(DIDS) },
    { $type: 'app.bsky.richtext.facet#tag', tag: random.pick(TAGS) },
  ]
  const pictures = [
    { alt: random.pick(WORDS), image: {} },
    { alt: '', image: {} },
  ]
  const record = {
    text: words,
    facets: [{ features: facets.filter(() => random.below(2)) }],
    tags: some(random, TAGS),
    langs: maybe(some(random, LANGS)),
    reply: maybe({ root: { uri: 'at://root' }, parent: { uri: 'at://parent' } }),
    embed: random.pick([
      undefined,
      { $type: 'app.bsky.embed.images', images: pictures.slice(random.below(2)) },
      { $type: 'app.bsky.embed.record', record: { uri: 'at://quoted' } },
      { $type: 'app.bsky.embed.video' },
      { $type: 'app.bsky.embed.external', external: { uri: 'https://x.org', title: random.pick(WORDS) } },
    ]),
    labels: maybe({ values: [{ val: 'nudity' }] }),
  }
  return featuresOf(record as unknown as CborObject, random.pick(DIDS))
}

test('finds what asking every definition finds, whatever comes and goes', () => {
  const random = seededRandom(3)
  const matcher = new Matcher()
  const rules = new Map<number, Rule>()
  let found = 0
  for (let round = 0; round < 3000; round++) {
    const id = random.below(200)
    if (random.below(5) === 0) {
      matcher.delete(id)
      rules.delete(id)
    } else {
      const rule = compileRule(filter(random), 'where')
      matcher.set(id, rule)
      rules.set(id, rule)
    }
    const features = post(random)
    const matched = matcher.match(features)
    found += matched.length
    expect(matched.sort((a, b) => a - b)).toEqual(slowMatch(rules, features).sort((a, b) => a - b))
  }
  expect(found).toBeGreaterThan(1000)
})

describe('words', () => {
  const has = (text: string, words: string[]) =>
    decide(compileRule({ kind: 'text', words }, 'where'), featuresOf({ text }, 'did:plc:a'))

  test.for([
    ['The CAT sat.', 'cat', true],
    ['concatenate', 'cat', false],
    ['#cat', 'cat', true],
    ['don’t', 'don’t', true],
    ['don’t', "don't", true],
    ['昨日東京に行った', '東京', true],
    ['京東', '東京', false],
    ['that is fire🔥🔥', '🔥', true],
    ['ﬁne', 'fine', true],
    ['new  york', 'New York', true],
    ['york new', 'new york', false],
    ['naïve', 'naive', false],
    ['สวัสดีครับ', 'สวัสดี', true],
  ] as const)('%s has %s: %s', ([text, word, expected]) => {
    expect(has(text, [word])).toBe(expected)
  })
})
