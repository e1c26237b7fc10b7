/** Definitions as people type them, and the records that they stand for. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { readDefinition, writeDefinition } from '../../../feedgen/algorithm/read.ts'
import type { Json } from '../../../feedgen/algorithm/shape.ts'
import { shortOf, wholeOf } from '../../../feedgen/algorithm/short.ts'
import { printJson } from '../../../scripts/atoll/feed/jsonc.ts'

const base = 'social.atoll.feed'
const createdAt = '2026-11-01T00:00:00.000Z'
const findDid = async (handle: string) => {
  if (handle === 'nobody.test') throw new Error(`Nobody is called ${handle}.`)
  return `did:web:${handle}`
}
const whole = (definition: object) => wholeOf({ createdAt, ...definition } as Json, findDid)

const examples = readdirSync(path.resolve('feedgen/feeds/examples')).map((name): [string, Json] => [
  name,
  JSON.parse(readFileSync(path.resolve('feedgen/feeds/examples', name), 'utf8')),
])

describe.for(examples)('the example %s', ([, record]) => {
  test('is the same after it went through its short form', async () => {
    const short = shortOf(record)
    expect(JSON.stringify(short)).not.toContain('$type')
    const again = await wholeOf(short, findDid)
    expect(again).toEqual(record)
    expect(shortOf(again)).toEqual(short)
    expect(JSON.parse(printJson(short))).toEqual(short)
  })

  test('may be written with short $types, with and without #', async () => {
    for (const before of ['"$type":"', '"$type":"#']) {
      const typed = JSON.stringify(shortOf(record)).replaceAll('"kind":"', before)
      expect(await wholeOf(JSON.parse(typed), findDid)).toEqual(record)
    }
  })
})

test('every part of the language has a short form', async () => {
  const list = 'at://did:plc:a/app.bsky.graph.list/l'
  const definition = {
    sources: [
      {
        kind: 'likedBy' as const,
        set: { kind: 'graph' as const, of: 'did:plc:a', edge: 'follows' as const },
        windowHours: 2,
      },
      { kind: 'colikers' as const, seed: { kind: 'viewerLikes' as const }, windowHours: 2 },
      {
        kind: 'minus' as const,
        from: [{ kind: 'list' as const, uri: list, windowHours: 2 }],
        take: [{ kind: 'hop' as const, to: 'root' as const, of: [{ kind: 'posts' as const, uris: [list] }] }],
      },
    ],
    arrange: {
      mix: {
        lanes: [
          {
            where: { kind: 'not' as const, of: { kind: 'duplicate' as const, of: 'link' as const } },
            share: 2,
          },
        ],
      },
    },
    createdAt,
  }
  const record = writeDefinition(definition)
  expect(shortOf(record)).toEqual(definition)
  expect(await wholeOf(shortOf(record), findDid)).toEqual(record)
  expect(readDefinition(record)).toEqual(definition)
})

test('accounts and records are named by handles and addresses of the app', async () => {
  const record = await whole({
    sources: [
      {
        kind: 'actors',
        dids: ['alice.test', '@Bob.test', 'did:plc:x', 'https://bsky.app/profile/cleo.test'],
        windowHours: 1,
      },
      { kind: 'list', uri: 'https://bsky.app/profile/alice.test/lists/3k', windowHours: 1 },
      { kind: 'starterPack', uri: 'https://bsky.app/starter-pack/alice.test/3kz', windowHours: 1 },
      { kind: 'starterPack', uri: 'https://bsky.app/start/did:plc:x/3kz', windowHours: 1 },
      { kind: 'feed', uri: 'https://deer.example/profile/did:plc:x/feed/cats?ref=1' },
      {
        kind: 'posts',
        uris: ['https://bsky.app/profile/alice.test/post/3kp', 'at://alice.test/app.bsky.feed.post/3kp'],
      },
      { kind: 'labels', by: 'labels.test', val: ['x'], windowHours: 1 },
    ],
    viewer: { coldStart: { feed: 'at://alice.test/app.bsky.feed.generator/cold' } },
  })
  expect(shortOf(record)).toMatchObject({
    sources: [
      { dids: ['did:web:alice.test', 'did:web:bob.test', 'did:plc:x', 'did:web:cleo.test'] },
      { uri: 'at://did:web:alice.test/app.bsky.graph.list/3k' },
      { uri: 'at://did:web:alice.test/app.bsky.graph.starterpack/3kz' },
      { uri: 'at://did:plc:x/app.bsky.graph.starterpack/3kz' },
      { uri: 'at://did:plc:x/app.bsky.feed.generator/cats' },
      {
        uris: [
          'at://did:web:alice.test/app.bsky.feed.post/3kp',
          'at://did:web:alice.test/app.bsky.feed.post/3kp',
        ],
      },
      { by: 'did:web:labels.test' },
    ],
    viewer: { coldStart: { feed: 'at://did:web:alice.test/app.bsky.feed.generator/cold' } },
  })
  expect(() => readDefinition(record)).not.toThrow()
})

describe('what is mistyped', () => {
  const network = { kind: 'network', windowHours: 1 }
  test.for<[string, object, string, RegExp]>([
    [
      'a kind',
      { sources: [network], where: { kind: 'not', of: { kind: 'txt', words: ['a'] } } },
      'where/of',
      /"txt" .* did you mean "text"\?$/,
    ],
    [
      'a kind in the plural',
      { sources: [network], where: { kind: 'tags', any: ['a'] } },
      'where',
      /did you mean "tag"/,
    ],
    [
      'a kind written out',
      { sources: [network], where: { $type: 'language', any: ['a'] } },
      'where',
      /did you mean "lang"/,
    ],
    [
      'a whole $type',
      { sources: [{ $type: `${base}.sources#netwrok`, windowHours: 1 }] },
      'sources/0',
      /did you mean "network"/,
    ],
    [
      'a kind that nothing is like',
      { sources: [{ kind: 'oracle' }] },
      'sources/0',
      /must be one of network, tags, list/,
    ],
    ['no kind', { sources: [{ windowHours: 1 }] }, 'sources/0', /has no \$type; it must be one of network/],
    ['a kind and another $type', { sources: [{ ...network, $type: 'tags' }] }, 'sources/0', /another/],
    ['a stage', { sources: [network], wehre: {} }, 'wehre', /did you mean "where"/],
    [
      'a field',
      { sources: [{ kind: 'network', windowhours: 1 }] },
      'sources/0/windowhours',
      /did you mean "windowHours"/,
    ],
    [
      'a field that nothing is like',
      { sources: [{ ...network, xyzzy: 1 }] },
      'sources/0/xyzzy',
      /not known to this host$/,
    ],
    [
      'a handle',
      { sources: [{ kind: 'actors', dids: ['did:plc:a', 'nobody.test'], windowHours: 1 }] },
      'sources/0/dids/1',
      /Nobody is called/,
    ],
    [
      'no handle at all',
      { sources: [{ kind: 'actors', dids: ['me'], windowHours: 1 }] },
      'sources/0/dids/0',
      /neither a DID nor a handle/,
    ],
    [
      'an address',
      { sources: [{ kind: 'list', uri: 'https://bsky.app/about', windowHours: 1 }] },
      'sources/0/uri',
      /address of a record/,
    ],
  ])('%s', async ([, definition, at, reason]) => {
    await expect(whole(definition)).rejects.toMatchObject({ path: at, reason: expect.stringMatching(reason) })
    // A host that is asked says the same of what is no name of anybody.
    if (!JSON.stringify(definition).includes('$type')) return
    expect(() => readDefinition({ createdAt, ...definition })).toThrow()
  })

  test('is said by a host, too', () => {
    const where = { $type: `${base}.where#txt`, words: ['a'] }
    const record = { sources: [{ $type: `${base}.sources#network`, windowHours: 1 }], where, createdAt }
    expect(() => readDefinition(record)).toThrow(/^where: ".*#txt" .* did you mean "text"\?$/)
  })
})
