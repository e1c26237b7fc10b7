/**
 * Definitions made of what SkyFeed and Graze keep: each sample is written in their form, and each
 * result is a definition that can be read.
 */
import { describe, expect, it } from 'vitest'
import type { Definition } from '../../../feedgen/algorithm/definition.ts'
import { readDefinition, writeDefinition } from '../../../feedgen/algorithm/read.ts'
import { importGraze } from '../../../scripts/atoll/import/graze.ts'
import type { Imported } from '../../../scripts/atoll/import/imported.ts'
import { importSkyfeed } from '../../../scripts/atoll/import/skyfeed.ts'

const BSKY = 'did:plc:ar7c4by46qjdydhdevvrndac'
const didOf = async (handle: string) => (handle === 'nobody.test' ? undefined : `did:web:${handle}`)

/** The definition without its date, after it went through a record. */
function definitionOf({ definition }: Imported): Omit<Definition, 'createdAt'> {
  const read = readDefinition(JSON.parse(JSON.stringify(writeDefinition(definition))))
  expect(read).toEqual(definition)
  const { createdAt, ...rest } = read
  expect(Date.parse(createdAt)).toBeGreaterThan(0)
  return rest
}

/** What is not as it was; what was only taken for granted is none of it. */
const differences = ({ notes }: Imported) => notes.filter(({ kind }) => kind !== 'assumed')
const lost = ({ notes }: Imported) => notes.filter(({ kind }) => kind === 'lost').map(({ at }) => at)

describe('skyfeed', () => {
  const skyfeed = (blocks: object[], more: object = {}) => importSkyfeed({ blocks, ...more }, didOf)
  const firehose = { type: 'input', inputType: 'firehose', firehoseSeconds: 172_800 }
  const network = { kind: 'network', windowHours: 48 }

  it('carries a common feed over whole, from the record it stands in', async () => {
    const imported = await importSkyfeed(
      {
        uri: 'at://did:plc:abc/app.bsky.feed.generator/aaab',
        value: {
          $type: 'app.bsky.feed.generator',
          did: 'did:web:skyfeed.me',
          displayName: 'Lighthouses',
          description: 'Towers with lamps',
          skyfeedBuilder: {
            displayName: 'Lighthouses',
            license: 'EUPL-1.2',
            blocks: [
              firehose,
              { type: 'remove', subject: 'item', value: 'reply' },
              { type: 'remove', subject: 'language', language: 'de', operator: '!=' },
              { type: 'remove', subject: 'image_count', value: '0' },
              { type: 'remove', subject: 'like_count', operator: '<', value: 3 },
              { type: 'remove', subject: 'list', listUri: 'at://did:plc:abc/app.bsky.graph.list/bots' },
              { type: 'remove', subject: 'labels', labels: ['Porn'] },
              { type: 'remove', subject: 'videos' },
              {
                type: 'regex',
                value: 'leucht(turm|feuer)',
                caseSensitive: false,
                target: 'text|alt_text|link',
              },
              { type: 'regex', value: 'AD', caseSensitive: true, invert: true },
              { type: 'remove', subject: 'duplicates' },
              { type: 'sort', sortType: 'hn', gravity: '2.2' },
              { type: 'limit', limitType: 'posts_per_user', count: 2 },
              { type: 'limit', count: 50 },
            ],
          },
        },
      },
      didOf,
    )
    expect(imported).toMatchObject({ name: 'Lighthouses', description: 'Towers with lamps' })
    expect(imported.notes).toEqual([
      { at: 'blocks[2]', kind: 'assumed', says: expect.stringContaining('several languages') },
    ])
    expect(definitionOf(imported)).toEqual({
      sources: [network],
      where: {
        kind: 'all',
        of: [
          { kind: 'not', of: { kind: 'type', any: ['reply'] } },
          { kind: 'lang', any: ['de'] },
          { kind: 'media', any: ['image'] },
          { kind: 'count', of: 'likes', op: 'gte', n: 3 },
          {
            kind: 'not',
            of: { kind: 'author', in: { kind: 'list', uri: 'at://did:plc:abc/app.bsky.graph.list/bots' } },
          },
          {
            kind: 'not',
            of: {
              kind: 'any',
              of: [
                { kind: 'label', any: ['porn'] },
                { kind: 'label', any: ['porn'], by: [BSKY] },
              ],
            },
          },
          { kind: 'not', of: { kind: 'media', any: ['video'] } },
          { kind: 'text', regex: '(?i)leucht(turm|feuer)', in: ['text', 'alt', 'link'] },
          { kind: 'not', of: { kind: 'text', regex: 'AD' } },
        ],
      },
      score: {
        order: 'score',
        terms: [{ kind: 'likes', weightMilli: 1000 }],
        fade: { kind: 'hot', gravityMilli: 2200, offsetHours: 2 },
      },
      arrange: { perAuthor: { max: 2 }, limit: 50 },
    })
  })

  it('keeps filters with the inputs that they stand behind, over stash and pop', async () => {
    const imported = await skyfeed([
      { type: 'input', inputType: 'did', did: 'did:plc:abc', collection: 'post|reply' },
      { type: 'input', inputType: 'did', did: 'bob.test', collection: 'post|reply' },
      { type: 'regex', value: 'boat' },
      { type: 'stash', key: 'a' },
      { type: 'input', inputType: 'tags', tags: ['boats'], historySeconds: 86_400 },
      { type: 'stash', action: 'pop', key: 'a' },
      { type: 'remove', subject: 'item', value: 'reply' },
    ])
    const allOfThem = { kind: 'changed', says: expect.stringContaining('takes all of them') }
    expect(imported.notes).toEqual([
      { at: 'blocks[0]', ...allOfThem },
      { at: 'blocks[1]', ...allOfThem },
    ])
    expect(definitionOf(imported)).toEqual({
      sources: [
        { kind: 'tags', tags: ['boats'], windowHours: 24 },
        { kind: 'actors', dids: ['did:plc:abc', 'did:web:bob.test'], windowHours: 720 },
      ],
      where: {
        kind: 'all',
        of: [
          { kind: 'not', of: { kind: 'type', any: ['reply'] } },
          {
            kind: 'any',
            of: [
              {
                kind: 'all',
                of: [
                  { kind: 'tag', any: ['boats'] },
                  { kind: 'age', hoursMax: 24 },
                ],
              },
              {
                kind: 'all',
                of: [
                  { kind: 'author', in: { kind: 'actors', dids: ['did:plc:abc', 'did:web:bob.test'] } },
                  { kind: 'text', regex: '(?i)boat' },
                ],
              },
            ],
          },
        ],
      },
    })
  })

  it('subtracts, intersects and hops', async () => {
    const list = (rkey: string) => ({
      type: 'input',
      inputType: 'list',
      listUri: `https://bsky.app/profile/alice.test/lists/${rkey}`,
    })
    const uri = (rkey: string) => `at://did:web:alice.test/app.bsky.graph.list/${rkey}`
    const subtracted = await skyfeed([
      list('bad'),
      { type: 'stash', key: '1' },
      list('good'),
      { type: 'stash', action: 'subtract', key: '1' },
    ])
    expect(definitionOf(subtracted)).toMatchObject({
      sources: [{ kind: 'list', uri: uri('good') }],
      where: {
        kind: 'not',
        of: { kind: 'any', of: [{ kind: 'all', of: [{ in: { uri: uri('bad') } }, { kind: 'age' }] }] },
      },
    })
    const common = await skyfeed([list('a'), list('b'), { type: 'remove', subject: 'non_duplicates' }])
    expect(definitionOf(common)).toEqual({
      sources: [
        {
          kind: 'intersect',
          of: ['a', 'b'].map((rkey) => ({ kind: 'list', uri: uri(rkey), windowHours: 168 })),
        },
      ],
    })
    const hop = await skyfeed([
      list('a'),
      { type: 'replace', with: 'root', keepItemsWithMissingTarget: false },
      { type: 'sort', sortType: 'created_at', sortDirection: 'asc' },
    ])
    expect(differences(hop)).toEqual([])
    expect(definitionOf(hop)).toEqual({
      sources: [{ kind: 'hop', to: 'root', of: [{ kind: 'list', uri: uri('a'), windowHours: 168 }] }],
      score: { order: 'oldest' },
    })
  })

  it('takes regular expressions apart that are too long for one', async () => {
    const words = Array.from({ length: 300 }, (_, index) => `w\\|ord${index}`)
    const imported = await skyfeed([firehose, { type: 'regex', value: `\\b(${words.join('|')})\\b` }])
    expect(imported.notes).toEqual([])
    const { where } = definitionOf(imported)
    const parts = where?.kind === 'any' ? where.of : []
    expect(parts.length).toBeGreaterThan(2)
    const found = parts.flatMap((part) => {
      const [, inner = ''] =
        /^\(\?i\)\\b\((.*)\)\\b$/.exec(part.kind === 'text' ? (part.regex ?? '') : '') ?? []
      return inner.split(/(?<!\\)\|/)
    })
    expect(found).toEqual(words)
    const whole = await skyfeed([firehose, { type: 'regex', value: 'x'.repeat(1200) }])
    expect(lost(whole)).toEqual(['blocks[1]'])
  })

  it('puts single posts in by hand, and leaves the filters of other inputs alone', async () => {
    const post = 'at://did:plc:abc/app.bsky.feed.post/rules'
    const imported = await skyfeed([
      firehose,
      { type: 'regex', value: 'boat' },
      { type: 'input', inputType: 'post', postUri: post },
    ])
    expect(definitionOf(imported)).toEqual({
      sources: [network],
      where: { kind: 'text', regex: '(?i)boat' },
      place: { manualAdd: [post] },
    })
    const feed = { type: 'input', inputType: 'feed', feedUri: 'at://did:plc:abc/app.bsky.feed.generator/x' }
    const unsure = await skyfeed([firehose, { type: 'regex', value: 'boat' }, feed])
    expect(unsure.notes.filter(({ widens }) => widens)).toHaveLength(1)
  })

  it('splits lists that are too long for one, and writes languages as they are written', async () => {
    const tags = Array.from({ length: 450 }, (_, i) => `boat${i}`)
    const imported = await skyfeed([
      { type: 'input', inputType: 'tags', tags },
      { type: 'remove', subject: 'language', language: 'pt_BR', operator: '!=' },
    ])
    const { sources, where } = definitionOf(imported)
    expect(sources.flatMap((source) => (source.kind === 'tags' ? source.tags : []))).toEqual(tags)
    expect(where).toEqual({ kind: 'lang', any: ['pt-BR'] })
  })

  it('says what is lost, and where', async () => {
    const imported = await skyfeed([
      firehose,
      { type: 'regex', value: '(?<=a)b' },
      { type: 'remove', subject: 'where', value: 'likeCount > 3' },
      { type: 'remove', subject: 'item', value: 'wonderthread' },
      { type: 'input', inputType: 'list', listUri: 'https://bsky.app/profile/nobody.test/lists/a' },
      { type: 'wobble' },
      { type: 'sort', sortType: 'vibes' },
      { type: 'regex', value: 'stays' },
    ])
    expect(lost(imported)).toEqual([1, 2, 3, 4, 5, 6].map((index) => `blocks[${index}]`))
    expect(definitionOf(imported)).toEqual({
      sources: [network],
      where: { kind: 'text', regex: '(?i)stays' },
    })
    await expect(importSkyfeed({ displayName: 'x' }, didOf)).rejects.toThrow('It has no blocks')
    await expect(skyfeed([{ type: 'sort', sortType: 'random' }])).rejects.toThrow('None of its inputs')
  })
})

describe('graze', () => {
  const graze = (filter: object, more: object = {}) => importGraze({ filter, ...more }, didOf)

  it('leaves words words beside an odd entry, and splits what is too long', async () => {
    const hashtags = Array.from({ length: 300 }, (_, i) => `кот${i}`)
    const filter = {
      and: [
        { regex_any: ['text', ['кот', 'chat noir', 'a.b'], true, false] },
        { entity_matches: ['hashtags', hashtags] },
        { entity_matches: ['langs', ['pt_BR', 'no language']] },
      ],
    }
    const imported = await importGraze({ filter }, didOf)
    expect(imported.notes.filter(({ widens }) => widens)).toHaveLength(1)
    const { where } = definitionOf(imported)
    const [words, tags, langs] = where?.kind === 'all' ? where.of : []
    expect(words).toMatchObject({
      kind: 'any',
      of: [
        { kind: 'text', words: ['кот', 'chat noir'] },
        { kind: 'text', regex: expect.stringContaining('a\\.b') },
      ],
    })
    expect(tags).toMatchObject({ kind: 'any', of: [{ kind: 'tag' }, { kind: 'tag' }] })
    expect(langs).toEqual({ kind: 'lang', any: ['pt-BR'] })
  })

  it('carries a feed over, as its interface gives it', async () => {
    const imported = await importGraze(
      {
        id: 7,
        user_id: 1,
        record_name: 'harbours',
        display_name: 'Harbours',
        description: 'Where ships rest',
        order: 'blend',
        algorithm_manifest: JSON.stringify({
          filter: {
            and: [
              { or: [{ embed_type: ['==', 'image'] }, { embed_type: ['==', 'image_group'] }], metadata: {} },
              { regex_any: ['text', ['harbour', 'old port'], true, false] },
              { regex_none: ['embed.images[*].alt', ['c++'], true, false] },
              { regex_matches: [{ var: 'embed.external.title' }, '\\bquays?\\b', false] },
              { entity_matches: ['langs', ['en', 'fr']] },
              { entity_excludes: ['hashtags', ['#Ads']] },
              { entity_excludes: ['domains', ['https://spam.example/']] },
              { attribute_compare: ['reply', '==', null] },
              { attribute_compare: ['embed.external.uri', '!=', null] },
              { attribute_compare: ['embed.video.size', '>=', 100] },
              { post_type: ['not_in', ['quote']] },
              { social_graph: ['alice.test', 'not_in', 'followers'] },
              { list_member: ['https://bsky.app/profile/alice.test/lists/3k', 'not_in'] },
            ],
          },
          sort_settings: {
            time_window: 72,
            decay_penalty: 0.4,
            like_count_multiplier: 1,
            reply_count_multiplier: 2.5,
            repost_count_multiplier: 0,
            reader_like_count_multiplier: 0,
          },
        }),
      },
      didOf,
    )
    expect(imported).toMatchObject({ name: 'Harbours', description: 'Where ships rest' })
    expect(lost(imported)).toEqual([])
    expect(definitionOf(imported)).toEqual({
      sources: [{ kind: 'network', windowHours: 72 }],
      where: {
        kind: 'all',
        of: [
          {
            kind: 'any',
            of: [
              { kind: 'media', any: ['image'] },
              { kind: 'media', any: ['gallery'] },
            ],
          },
          { kind: 'text', words: ['harbour', 'old port'] },
          { kind: 'not', of: { kind: 'text', regex: '(?i)(?:^|\\W)(?:c\\+\\+)(?:\\W|$)', in: ['alt'] } },
          { kind: 'text', regex: '\\bquays?\\b', in: ['card'] },
          { kind: 'lang', any: ['en', 'fr'] },
          { kind: 'not', of: { kind: 'tag', any: ['Ads'] } },
          { kind: 'not', of: { kind: 'domain', any: ['spam.example'] } },
          { kind: 'not', of: { kind: 'type', any: ['reply'] } },
          { kind: 'field', path: 'embed.external.uri', op: 'exists' },
          { kind: 'field', path: 'embed.video.size', op: 'gte', integer: 100 },
          { kind: 'not', of: { kind: 'type', any: ['quote'] } },
          {
            kind: 'not',
            of: { kind: 'author', in: { kind: 'graph', of: 'did:web:alice.test', edge: 'followers' } },
          },
          {
            kind: 'not',
            of: {
              kind: 'author',
              in: { kind: 'list', uri: 'at://did:web:alice.test/app.bsky.graph.list/3k' },
            },
          },
        ],
      },
      score: {
        order: 'score',
        terms: [
          { kind: 'likes', weightMilli: 1000 },
          { kind: 'replies', weightMilli: 2500 },
        ],
        fade: { kind: 'hot', gravityMilli: 1800, offsetHours: 2 },
      },
      arrange: { freshEvery: 2 },
    })
  })

  it('reads from accounts where all posts have to be theirs', async () => {
    const imported = await importGraze(
      {
        order: 'new',
        manifest: {
          filter: {
            and: [
              { starter_pack_member: ['https://bsky.app/starter-pack/alice.test/3kz', 'in'] },
              { regex_any: ['text', ['\\bsail(s|ing)\\b', 'mast'], true, true] },
            ],
          },
        },
      },
      didOf,
    )
    expect(imported.notes).toEqual([
      { at: 'sort_settings.time_window', kind: 'assumed', says: 'it looks back 48 hours' },
    ])
    expect(definitionOf(imported)).toEqual({
      sources: [
        {
          kind: 'starterPack',
          uri: 'at://did:web:alice.test/app.bsky.graph.starterpack/3kz',
          windowHours: 48,
        },
      ],
      where: { kind: 'text', regex: '(?i)\\bsail(s|ing)\\b|mast' },
    })
  })

  it('says what is lost, and keeps nobody’s password', async () => {
    const imported = await graze(
      {
        and: [
          { content_moderation: ['OK', '>=', 0.9] },
          { or: [{ text_similarity: ['text', { anchor_text: 'ships' }, '>=', 0.3] }] },
          { social_graph: ['nobody.test', 'in', 'follows'] },
          { param_compare: ['$ON', '==', true] },
          { regex_matches: ['reply', 'x', true] },
          { attribute_compare: ['posts[*].x', '==', 'y'] },
          { entity_matches: ['mentions', ['alice.test']] },
        ],
      },
      { models: [{ model_name: 'm' }], author: { username: 'alice.test', password: 'secret-app-word' } },
    )
    expect(lost(imported)).toEqual([
      'filter.and[0].content_moderation',
      'filter.and[1].or[0].text_similarity',
      'filter.and[2].social_graph',
      'filter.and[3].param_compare',
      'filter.and[4].regex_matches',
      'filter.and[5].attribute_compare',
      'models',
      'author',
    ])
    expect(definitionOf(imported)).toEqual({
      sources: [{ kind: 'network', windowHours: 48 }],
      where: { kind: 'mention', dids: ['did:web:alice.test'] },
    })
    expect(JSON.stringify(imported)).not.toContain('secret-app-word')
    await expect(graze({ and: [{ image_nsfw: ['NSFW', '<', 0.1] }] })).rejects.toThrow(
      'Nothing of its filter',
    )
    await expect(importGraze({ order: 'new' }, didOf)).rejects.toThrow('It has no filter')
  })

  it('is not led astray by what is no manifest at all', async () => {
    let deep: object = { regex_any: ['text', ['x'], true, false] }
    for (let depth = 0; depth < 5000; depth++) deep = { and: [deep] }
    await expect(graze(deep)).rejects.toThrow('Nothing of its filter')
    for (const filter of [{ and: 1 }, { constructor: [] }, { __proto__: null, or: [null, 3, 'x'] }]) {
      await expect(graze(filter)).rejects.toThrow('Nothing of its filter')
    }
  })
})
