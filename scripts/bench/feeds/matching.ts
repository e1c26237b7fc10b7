/**
 * What it costs to match a post against all live definitions, with 100 and with 10,000 of them:
 * `node scripts/run.mjs scripts/bench/feeds/matching.ts`.
 *
 * Each definition is about something of its own, as feeds are: words, tags, accounts, domains, most
 * of them in one language. The more there are, the more of them a post matches; what is compared is
 * an event of a mixed stream, in which one of eleven is a post that is read and matched.
 */

import { type CborObject, decode, encode } from '#protocol/cbor.ts'
import { compile } from '../../../feedgen/algorithm/compile.ts'
import type { Definition, Filter } from '../../../feedgen/algorithm/definition.ts'
import { featuresOf } from '../../../feedgen/algorithm/features.ts'
import { Matcher } from '../../../feedgen/feeds/matcher.ts'

const postsCount = 20_000
const wordsCount = 50_000
const topicsCount = 40_000
const eventsPerPost = 11
const rounds = 3

const random = seeded(7)
const below = (n: number) => Math.floor(random() * n)
/** Few words are said often, most seldom. */
const word = () => `w${Math.floor(wordsCount * random() ** 4)}`
/** What feeds are about: words that are neither the most common nor the rarest. */
const topic = () => `w${200 + below(topicsCount)}`
const account = () => `did:plc:${below(100_000)}`

function filter(): Filter {
  const about: Filter[] = [
    { kind: 'text', words: Array.from({ length: 10 }, topic), in: ['text', 'alt'] },
    {
      kind: 'any',
      of: [
        { kind: 'tag', any: [topic(), topic()] },
        { kind: 'text', words: [topic()] },
      ],
    },
    { kind: 'author', in: { kind: 'actors', dids: Array.from({ length: 50 }, account) } },
    { kind: 'domain', any: [`${topic()}.example`] },
    { kind: 'text', phrase: `${topic()} ${topic()}` },
  ]
  const parts: Filter[] = [about[below(about.length)] as Filter, { kind: 'type', any: ['post', 'quote'] }]
  if (below(2)) parts.push({ kind: 'lang', any: ['en'] })
  if (below(10) === 0) parts.push({ kind: 'text', regex: '(?i)\\bhello' })
  return { kind: 'all', of: parts }
}

function postBytes(): Uint8Array {
  return encode({
    $type: 'app.bsky.feed.post',
    text: Array.from({ length: 5 + below(35) }, word).join(' '),
    langs: [below(2) ? 'en' : 'ja'],
    tags: below(5) ? [] : [topic()],
    createdAt: '2026-11-01T00:00:00.000Z',
    ...(below(3) ? {} : { embed: { $type: 'app.bsky.embed.images', images: [{ alt: word(), image: {} }] } }),
  })
}

const posts = Array.from({ length: postsCount }, () => ({ bytes: postBytes(), author: account() }))

/** Microseconds to read and match a post, and how many definitions it matches. */
function measure(count: number): { micros: number; matches: number } {
  const matcher = new Matcher()
  for (let id = 1; id <= count; id++) {
    const definition: Definition = {
      sources: [{ kind: 'network', windowHours: 24 }],
      where: filter(),
      createdAt: '2026-11-01T00:00:00Z',
    }
    const { intake } = compile(definition)
    if (intake) matcher.set(id, intake)
  }
  let best = Number.POSITIVE_INFINITY
  let matches = 0
  for (let round = 0; round < rounds; round++) {
    matches = 0
    const start = performance.now()
    for (const { bytes, author } of posts)
      matches += matcher.match(featuresOf(decode(bytes) as CborObject, author)).length
    best = Math.min(best, performance.now() - start)
  }
  return { micros: (best * 1000) / postsCount, matches: matches / postsCount }
}

measure(100)
const rows = [0, 100, 1000, 10_000].map((definitions) => {
  const { micros, matches } = measure(definitions)
  return {
    definitions,
    'µs a post': micros.toFixed(1),
    'µs an event': (micros / eventsPerPost).toFixed(2),
    'matches a post': matches.toFixed(2),
    micros,
  }
})
console.table(rows.map(({ micros: _, ...row }) => row))
const [, few, , many] = rows
console.log(
  `10,000 definitions cost ${((many?.micros ?? 0) / (few?.micros ?? 1)).toFixed(2)} times what 100 do`,
)

function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 0x1_0000_0000
  }
}
