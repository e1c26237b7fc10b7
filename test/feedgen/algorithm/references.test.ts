/** Which records a definition names, and what is said of those that are not there. */
import { describe, expect, test } from 'vitest'
import type { Definition } from '../../../feedgen/algorithm/definition.ts'
import { writeDefinition } from '../../../feedgen/algorithm/read.ts'
import {
  type Finding,
  missingOf,
  REFERENCES_ASKED_MAX,
  type Reference,
  referencesOf,
} from '../../../feedgen/algorithm/references.ts'
import { Inquiries } from '../../../feedgen/feeds/inquiries.ts'

const uri = (collection: string, rkey: string) => `at://did:plc:a/${collection}/${rkey}`
const list = (rkey: string) => uri('app.bsky.graph.list', rkey)
const pack = uri('app.bsky.graph.starterpack', 'p')
const feed = (rkey: string) => uri('app.bsky.feed.generator', rkey)
const post = (rkey: string) => uri('app.bsky.feed.post', rkey)

const definition: Definition = {
  sources: [
    { kind: 'hop', to: 'root', of: [{ kind: 'list', uri: list('a'), windowHours: 1 }] },
    { kind: 'likedBy', set: { kind: 'starterPack', uri: pack }, windowHours: 1 },
    { kind: 'feed', uri: feed('f') },
    { kind: 'labels', by: 'did:plc:l', val: ['x'], windowHours: 1 },
    { kind: 'posts', uris: [post('1'), 'at://alice.test/app.bsky.feed.post/2', list('no-post')] },
  ],
  where: {
    kind: 'all',
    of: [
      { kind: 'not', of: { kind: 'author', in: { kind: 'list', uri: list('b') } } },
      { kind: 'author', in: { kind: 'list', uri: list('a') } },
      { kind: 'label', any: ['y'], by: ['did:plc:m', 'did:plc:l'] },
    ],
  },
  arrange: {
    mix: { lanes: [{ where: { kind: 'author', in: { kind: 'list', uri: list('c') } }, share: 1 }] },
  },
  viewer: { coldStart: { feed: feed('cold') } },
  place: { pin: post('pin') },
  createdAt: '2026-11-01T00:00:00.000Z',
}

test('each record is named once, with the path where it is first, lists before posts', () => {
  const named = referencesOf(definition).map(({ path, did, collection, rkey }) => [
    path,
    `${did}/${collection}/${rkey}`,
  ])
  expect(named).toEqual([
    ['sources/0/of/0/uri', 'did:plc:a/app.bsky.graph.list/a'],
    ['sources/1/set/uri', 'did:plc:a/app.bsky.graph.starterpack/p'],
    ['sources/2/uri', 'did:plc:a/app.bsky.feed.generator/f'],
    ['sources/3/by', 'did:plc:l/app.bsky.labeler.service/self'],
    ['where/of/0/of/in/uri', 'did:plc:a/app.bsky.graph.list/b'],
    ['where/of/2/by/0', 'did:plc:m/app.bsky.labeler.service/self'],
    ['arrange/mix/lanes/0/where/in/uri', 'did:plc:a/app.bsky.graph.list/c'],
    ['viewer/coldStart/feed', 'did:plc:a/app.bsky.feed.generator/cold'],
    ['place/pin', 'did:plc:a/app.bsky.feed.post/pin'],
    ['sources/4/uris/0', 'did:plc:a/app.bsky.feed.post/1'],
  ])
})

describe('what is not there is warned of', () => {
  const only = (source: Definition['sources'][number]): Definition => ({
    sources: [source],
    createdAt: definition.createdAt,
  })
  const one = only({ kind: 'list', uri: list('a'), windowHours: 1 })
  test.for<[string, () => Promise<Finding>, object[]]>([
    ['nothing of what is there', async () => 'there', []],
    [
      'what is missing',
      async () => 'missing',
      [
        {
          path: 'sources/0/uri',
          kind: 'missing',
          says: expect.stringMatching(/a list, at:.*does not exist/),
        },
      ],
    ],
    [
      'what nobody could tell',
      async () => 'unknown',
      [{ path: 'sources/0/uri', kind: 'unknown', says: expect.stringMatching(/nobody could say/) }],
    ],
    [
      'what could not be asked',
      () => Promise.reject(new Error('down')),
      [{ path: 'sources/0/uri', kind: 'unknown' }],
    ],
  ])('%s', async ([, find, warnings]) => {
    expect(await missingOf(one, find)).toMatchObject(warnings)
  })

  test('of many, some are asked for, and that is said', async () => {
    const asked: Reference[] = []
    const uris = Array.from({ length: REFERENCES_ASKED_MAX + 5 }, (_, i) => post(`p${i}`))
    const warnings = await missingOf(only({ kind: 'posts', uris }), async (reference) => {
      asked.push(reference)
      return 'there'
    })
    expect(asked).toHaveLength(REFERENCES_ASKED_MAX)
    expect(warnings).toMatchObject([
      { path: '', kind: 'unknown', says: expect.stringContaining('5 records') },
    ])
  })

  test('in a preview, with feeds that the host does not serve', async () => {
    const inquiries = new Inquiries({
      definitions: undefined as never,
      registry: { algorithm: async () => undefined } as never,
      evaluator: { run: async () => ({ items: [], stages: [] }) } as never,
      costMax: 1000,
      find: async ({ rkey }) => (rkey === 'f' ? 'missing' : 'there'),
    })
    const record = writeDefinition(only({ kind: 'feed', uri: feed('f') }))
    const { warnings } = await inquiries.preview(record, { limit: 1, caller: 'x' } as never)
    expect(warnings).toMatchObject([
      { path: 'sources/0/uri', kind: 'never', says: expect.stringMatching(/not served/) },
      { path: 'sources/0/uri', kind: 'missing' },
    ])
  })
})
