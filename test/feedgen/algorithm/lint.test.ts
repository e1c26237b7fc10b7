/**
 * What the linter finds in definitions that are valid: each with its path, its kind, and words that
 * say it.
 */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Definition, Filter, Source } from '../../../feedgen/algorithm/definition.ts'
import { WARNINGS_MAX, warningsOf } from '../../../feedgen/algorithm/lint.ts'
import { readDefinition } from '../../../feedgen/algorithm/read.ts'
import { COMPARED_FILTERS_MAX } from '../../../feedgen/algorithm/verdicts.ts'
import type { WarningKind } from '../../../feedgen/algorithm/warning.ts'

const network: Source = { kind: 'network', windowHours: 24 }
const cats: Filter = { kind: 'text', words: ['cats'] }
const reply: Filter = { kind: 'type', any: ['reply'] }
const LIST = 'at://did:plc:abc/app.bsky.graph.list/a'
const FEED = 'at://did:plc:abc/app.bsky.feed.generator/a'
const POST = 'at://did:plc:abc/app.bsky.feed.post/a'

const definition = (parts: Partial<Definition>): Definition => ({
  sources: [network],
  createdAt: '2026-11-01T00:00:00.000Z',
  ...parts,
})

type Finding = [path: string, kind: WarningKind, says: RegExp]

const found = (parts: Partial<Definition>) => warningsOf(definition(parts))

const expectFindings = (parts: Partial<Definition>, findings: readonly Finding[]) => {
  const warnings = found(parts)
  expect(warnings.map(({ path, kind }) => [path, kind])).toEqual(findings.map(([path, kind]) => [path, kind]))
  for (const [i, { says }] of warnings.entries()) expect(says).toMatch(findings[i]![2])
}

test.for(readdirSync(path.resolve('feedgen/feeds/examples')))('nothing in the example %s', (name) => {
  const json = readFileSync(path.resolve('feedgen/feeds/examples', name), 'utf8')
  expect(warningsOf(readDefinition(JSON.parse(json)))).toEqual([])
})

test('a window is longer than posts are kept that no source matches as they come', () => {
  const actors: Source = { kind: 'actors', dids: ['did:plc:abc'], windowHours: 720 }
  const list: Source = { kind: 'list', uri: LIST, windowHours: 169 }
  const tags: Source = { kind: 'tags', tags: ['cats'], windowHours: 720 }
  const among = (parts: Partial<Definition>) =>
    warningsOf(definition(parts), { retentionHours: 168 }).map(({ path, kind }) => [path, kind])
  expect(
    among({
      sources: [actors, { ...list, windowHours: 168 }, tags, { kind: 'minus', from: [list], take: [tags] }],
    }),
  ).toEqual([
    ['sources/0/windowHours', 'noEffect'],
    ['sources/3/from/0/windowHours', 'noEffect'],
  ])
  // Every post cannot be kept; those that pass `where` are.
  const all: Source = { kind: 'network', windowHours: 720 }
  expect(among({ sources: [all], where: cats })).toEqual([])
  expect(among({ sources: [all] })).toEqual([['sources/0/windowHours', 'noEffect']])
  expect(warningsOf(definition({ sources: [actors] }))).toEqual([])
})

describe('filters', () => {
  const wheres: [where: Filter, findings: Finding[]][] = [
    // True of no post.
    [
      { kind: 'any', of: [] },
      [
        ['where/of', 'never', /is empty/],
        ['where', 'never', /no post is left/],
      ],
    ],
    [
      { kind: 'tag', any: ['#'] },
      [
        ['where/any/0', 'never', /no tag/],
        ['where', 'never', /no post/],
      ],
    ],
    [
      { kind: 'tag', any: ['#', 'art'] },
      [
        ['where/any/0', 'never', /no tag/],
        ['sources/0', 'cheaper', /"tags"/],
      ],
    ],
    [{ kind: 'lang', any: ['english', 'pt'] }, [['where/any/0', 'never', /no language tag/]]],
    [
      { kind: 'lang', every: ['klingonese'] },
      [
        ['where/every/0', 'never', /no language tag/],
        ['where', 'never', /no post/],
      ],
    ],
    [
      { kind: 'domain', any: ['example'] },
      [
        ['where/any/0', 'never', /no domain/],
        ['where', 'never', /no post/],
      ],
    ],
    [{ kind: 'type', any: ['repost'] }, [['where', 'never', /no source brings reposts/]]],
    [{ kind: 'media', any: ['gallery'], countMax: 1 }, [['where', 'never', /no such post/]]],
    [{ kind: 'media', any: ['card', 'gif', 'none'], countMin: 2 }, [['where', 'never', /no such post/]]],
    [{ kind: 'media', any: ['image'], countMin: 3, countMax: 2 }, [['where', 'never', /countMin is above/]]],
    [
      { kind: 'media', any: ['none', 'card'], alt: 'every' },
      [['where', 'never', /pictures, videos or GIFs/]],
    ],
    [{ kind: 'count', of: 'likes', op: 'lt', n: 0 }, [['where', 'never', /0 or more/]]],
    [{ kind: 'account', ageHoursMin: 9, ageHoursMax: 3 }, [['where', 'never', /ageHoursMin is above/]]],
    [
      { kind: 'account', ageHoursMax: 9, followersMin: 4, followersMax: 3 },
      [['where', 'never', /followersMin is above/]],
    ],
    [
      {
        kind: 'all',
        of: [
          { kind: 'account', ageHoursMin: 9, followersMin: 100 },
          { kind: 'account', ageHoursMin: 5, followersMax: 99 },
        ],
      },
      [['where', 'never', /exclude each other/]],
    ],
    [{ kind: 'age', hoursMin: 25 }, [['where', 'never', /up to 24 hours/]]],
    [{ kind: 'age', hoursMin: 9, hoursMax: 3 }, [['where', 'never', /hoursMin is above/]]],
    [
      { kind: 'text', regex: '(?i)$nvda' },
      [
        ['where/regex', 'never', /end of the text/],
        ['where', 'never', /no post/],
      ],
    ],
    [{ kind: 'all', of: [reply, { kind: 'not', of: reply }] }, [['where', 'never', /exclude each other/]]],
    [{ kind: 'all', of: [cats, { kind: 'not', of: cats }] }, [['where', 'never', /exclude each other/]]],
    [
      {
        kind: 'all',
        of: [
          { kind: 'count', of: 'likes', op: 'gte', n: 10 },
          { kind: 'any', of: [{ kind: 'count', of: 'likes', op: 'lt', n: 10 }] },
        ],
      },
      [['where', 'never', /exclude each other/]],
    ],
    [
      {
        kind: 'all',
        of: [
          { kind: 'type', any: ['post'] },
          { kind: 'type', any: ['quote'] },
        ],
      },
      [['where', 'never', /exclude each other/]],
    ],
    [
      {
        kind: 'all',
        of: [
          { kind: 'media', any: ['video'] },
          { kind: 'media', any: ['image', 'none'] },
        ],
      },
      [['where', 'never', /exclude each other/]],
    ],
    [
      {
        kind: 'all',
        of: [
          cats,
          {
            kind: 'any',
            of: [
              { kind: 'age', hoursMin: 30 },
              { kind: 'age', hoursMin: 40 },
            ],
          },
        ],
      },
      [
        ['where/of/1/of/0', 'never', /up to 24/],
        ['where/of/1/of/1', 'never', /up to 24/],
        ['where', 'never', /no post is left/],
      ],
    ],
    // True of every post.
    [
      { kind: 'all', of: [] },
      [
        ['where/of', 'always', /is empty/],
        ['where', 'always', /every post/],
      ],
    ],
    [{ kind: 'count', of: 'quotes', op: 'gte', n: 0 }, [['where', 'always', /0 or more/]]],
    [{ kind: 'account', followersMin: 0 }, [['where', 'always', /account that is known here/]]],
    [
      {
        kind: 'any',
        of: [
          { kind: 'account', ageHoursMin: 24 },
          { kind: 'account', ageHoursMax: 24 },
        ],
      },
      [['where', 'always', /one or the other/]],
    ],
    [{ kind: 'age', hoursMax: 24 }, [['where', 'always', /up to 24 hours/]]],
    [{ kind: 'type', any: ['post', 'reply', 'quote'] }, [['where', 'always', /always true/]]],
    [{ kind: 'any', of: [cats, { kind: 'not', of: cats }] }, [['where', 'always', /one or the other/]]],
    [
      { kind: 'text', regex: 'cats*|' },
      [
        ['where/regex', 'always', /empty text/],
        ['where', 'always', /every post/],
      ],
    ],
    [
      { kind: 'lang', none: ['nolanguage'] },
      [
        ['where/none/0', 'noEffect', /no language/],
        ['where', 'always', /every/],
      ],
    ],
    // Superfluous.
    [{ kind: 'any', of: [cats, reply, cats] }, [['where/of/2', 'noEffect', /same as where\/of\/0/]]],
    [
      { kind: 'text', words: ['Cat', 'my cat', 'dog', 'CAT'] },
      [
        ['where/words/1', 'noEffect', /"Cat" \(where\/words\/0\)/],
        ['where/words/3', 'noEffect', /"Cat"/],
      ],
    ],
    [{ kind: 'lang', any: ['pt-BR', 'pt'] }, [['where/any/0', 'noEffect', /"pt" \(where\/any\/1\)/]]],
    [{ kind: 'domain', any: ['b.org', 'a.b.org'] }, [['where/any/1', 'noEffect', /"b.org"/]]],
    [{ kind: 'mention', dids: ['did:plc:a', 'did:plc:a'] }, [['where/dids/1', 'noEffect', /dids\/0/]]],
    // Cheaper.
    [
      { kind: 'text', regex: '(?i)\\b(cat|black dog)\\b' },
      [['where/regex', 'cheaper', /\["cat","black dog"\]/]],
    ],
    [{ kind: 'text', regex: '.*cats?' }, [['where/regex', 'cheaper', /".\*" at its ends/]]],
    [
      { kind: 'all', of: [reply, { kind: 'author', in: { kind: 'list', uri: LIST } }] },
      [['sources/0', 'cheaper', /where\/of\/1 .* "list" .* points in place of/]],
    ],
    // Looked for in another form.
    [
      { kind: 'tag', any: ['two words', 'x'] },
      [
        ['where/any/0', 'readAs', /space/],
        ['sources/0', 'cheaper', /tag/],
      ],
    ],
    [{ kind: 'domain', any: ['https://b.org/a'] }, [['where/any/0', 'readAs', /every link to b.org/]]],
    [{ kind: 'text', regex: '/кот/i' }, [['where/regex', 'readAs', /"\(\?i\)кот"/]]],
    [{ kind: 'text', words: ['(cats)', 'c++'] }, [['where/words/0', 'readAs', /looked for as "cats"/]]],
    // Names of things that cannot be there.
    [
      {
        kind: 'not',
        of: { kind: 'author', in: { kind: 'list', uri: 'at://bob.test/app.bsky.graph.list/a' } },
      },
      [
        ['where/of/in/uri', 'never', /handle bob.test/],
        ['where', 'always', /every post stays/],
      ],
    ],
    [
      { kind: 'not', of: { kind: 'author', in: { kind: 'starterPack', uri: LIST } } },
      [['where/of/in/uri', 'never', /names a list, and a starter pack is at/]],
    ],
  ]
  test.for(wheres)('%j', ([where, findings]) => expectFindings({ where }, findings))

  const sensible: Filter[] = [
    { kind: 'all', of: [reply, { kind: 'type', any: ['quote'] }] },
    {
      kind: 'all',
      of: [
        { kind: 'media', any: ['video'] },
        { kind: 'media', any: ['gif'] },
      ],
    },
    { kind: 'media', any: ['image'], countMin: 4, countMax: 4 },
    { kind: 'media', any: ['image', 'none'], alt: 'every' },
    { kind: 'not', of: { kind: 'media', any: ['video'], alt: 'none' } },
    { kind: 'age', hoursMin: 1, hoursMax: 23 },
    { kind: 'any', of: [{ kind: 'count', of: 'likes', op: 'gte', n: 10 }, cats] },
    {
      kind: 'all',
      of: [
        { kind: 'count', of: 'likes', op: 'gte', n: 10 },
        { kind: 'count', of: 'likes', op: 'lte', n: 10 },
      ],
    },
    {
      kind: 'all',
      of: [
        { kind: 'count', of: 'likes', op: 'gte', n: 10 },
        { kind: 'count', of: 'reposts', op: 'lt', n: 10 },
      ],
    },
    { kind: 'text', words: ['c++', 'c#', '차', '차이'] },
    { kind: 'text', regex: '\\bcats\\b' },
    { kind: 'text', regex: '\\$nvda$' },
    { kind: 'lang', every: ['pt', 'en'] },
  ]
  test.for(sensible)('nothing of %j', (where) => expect(found({ where })).toEqual([]))
})

describe('sources and the rest', () => {
  const tags: Source = { kind: 'tags', tags: ['art'], windowHours: 24 }
  const cases: [parts: Partial<Definition>, findings: Finding[]][] = [
    [{ sources: [tags, tags] }, [['sources/1', 'noEffect', /same as sources\/0/]]],
    [{ sources: [network, tags] }, [['sources/1', 'noEffect', /every post/]]],
    [
      { sources: [{ kind: 'tags', tags: ['art', '#Art'], windowHours: 2 }] },
      [['sources/0/tags/1', 'noEffect', /tags\/0/]],
    ],
    [
      { sources: [{ kind: 'list', uri: FEED, windowHours: 2 }] },
      [['sources/0/uri', 'never', /names a feed/]],
    ],
    [
      { sources: [{ kind: 'feed', uri: 'at://did:plc:abc' }] },
      [['sources/0/uri', 'never', /names an account/]],
    ],
    [{ sources: [{ kind: 'posts', uris: [POST, LIST] }] }, [['sources/0/uris/1', 'never', /a post is at/]]],
    [
      { sources: [{ kind: 'minus', from: [tags], take: [tags] }] },
      [['sources/0', 'never', /brings no post/]],
    ],
    [{ sources: [{ kind: 'intersect', of: [tags, tags] }] }, [['sources/0/of', 'noEffect', /one source/]]],
    [
      { sources: [{ kind: 'colikers', seed: { kind: 'posts', uris: [FEED] }, windowHours: 2 }] },
      [['sources/0/seed/uris/0', 'never', /names a feed/]],
    ],
    [
      { score: { order: 'score', terms: [{ kind: 'likes', weightMilli: 0 }] } },
      [['score/terms/0', 'noEffect', /weight is 0/]],
    ],
    [{ arrange: { freshEvery: 3 } }, [['arrange/freshEvery', 'noEffect', /newest/]]],
    [{ arrange: { perAuthor: {} } }, [['arrange/perAuthor', 'noEffect', /neither/]]],
    [{ arrange: { perAuthor: { max: 9 }, limit: 9 } }, [['arrange/perAuthor/max', 'noEffect', /limit is 9/]]],
    [
      {
        arrange: {
          mix: {
            lanes: [
              { where: { kind: 'age', hoursMax: 99 }, share: 1 },
              { where: cats, share: 1 },
            ],
          },
        },
      },
      [
        ['arrange/mix/lanes/0/where', 'always', /up to 24/],
        ['arrange/mix/lanes/1', 'never', /every post is in arrange\/mix\/lanes\/0/],
      ],
    ],
    [
      { place: { pin: POST, manualAdd: [POST], manualRemove: [POST] } },
      [
        ['place/pin', 'never', /manualRemove\/0/],
        ['place/manualAdd/0', 'never', /manualRemove\/0/],
      ],
    ],
    [{ viewer: { coldStart: { feed: POST } } }, [['viewer/coldStart/feed', 'never', /a feed is at/]]],
  ]
  test.for(cases)('%j', ([parts, findings]) => expectFindings(parts, findings))

  test('reposts and old posts are possible where a source brings them', () => {
    const where: Filter = {
      kind: 'all',
      of: [
        { kind: 'type', any: ['repost'] },
        { kind: 'age', hoursMin: 99 },
      ],
    }
    const list: Source = { kind: 'list', uri: LIST, windowHours: 24, reposts: true }
    expect(found({ sources: [list], where })).toEqual([])
    expect(found({ sources: [{ kind: 'feed', uri: FEED }], where })).toEqual([])
    expect(
      found({
        sources: [network, { kind: 'labels', by: 'did:plc:l', val: ['x'], windowHours: 2 }],
        where: { kind: 'age', hoursMin: 99 },
      }),
    ).toEqual([])
  })
})

test('stays within bounds, whatever is written', () => {
  const many = Array.from({ length: 200 }, (): Filter => ({ kind: 'tag', any: ['\u0001'.repeat(600), '#'] }))
  const warnings = found({ where: { kind: 'any', of: many } })
  expect(warnings).toHaveLength(WARNINGS_MAX)
  expect(warnings.at(-1)?.says).toMatch(/\d+ warnings more/)
  for (const { says } of warnings) expect(Buffer.byteLength(says)).toBeLessThanOrEqual(2000)
  const lists = Array.from(
    { length: 4 },
    (): Filter => ({
      kind: 'any',
      of: Array.from(
        { length: COMPARED_FILTERS_MAX / 4 },
        (_, i): Filter => ({ kind: 'tag', any: [`t${i}`] }),
      ),
    }),
  )
  expect(found({ where: { kind: 'all', of: lists } })).toContainEqual(
    expect.objectContaining({ kind: 'unknown', says: expect.stringContaining('not compared') }),
  )
})
