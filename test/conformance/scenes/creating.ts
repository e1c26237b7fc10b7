/** Records created in every way. */
import type { Case } from '../cases.ts'
import { createdAt, keyAt, LIKE, type Peer, POST, PROFILE, post, THING } from '../peers.ts'
import {
  as,
  blobJson,
  call,
  carol,
  create,
  headOf,
  look,
  reply,
  scene,
  unknownBlob,
  unknownCid,
  uri,
} from './scene.ts'

const nested = (depth: number): unknown => {
  let value: unknown = 1
  for (let n = 0; n < depth; n++) value = n % 2 === 0 ? { a: value } : [value]
  return value
}
/** Bodies of posts that their lexicon refuses, or does not. */
const posts: readonly [string, unknown][] = [
  ['no text', { createdAt }],
  ['a number for a text', post(7 as never)],
  ['a null text', post(null as never)],
  ['no date', { text: 'x' }],
  ['a date that is none', post('x', { createdAt: 'yesterday' })],
  ['a date without a zone', post('x', { createdAt: '2026-01-02T03:04:05' })],
  ['a date in 1985', post('x', { createdAt: '1985-04-12T23:20:50.123Z' })],
  ['a text of 3000 bytes', post('x'.repeat(3000))],
  ['a text of 300 graphemes', post('x'.repeat(300))],
  ['a text of 300 families', post('👨‍👩‍👧‍👧'.repeat(120))],
  ['a text of 301 graphemes', post('x'.repeat(301))],
  ['a language that is none', post('x', { langs: ['x-'] })],
  ['four languages', post('x', { langs: ['en', 'de', 'fr', 'ja'] })],
  ['languages that are no list', post('x', { langs: 'en' })],
  ['a field that nobody knows', post('x', { other: { deep: [1, null] } })],
  ['a null field', post('x', { reply: null })],
  ['a reply to nothing', post('x', { reply: {} })],
  ['a reply to no URI', post('x', { reply: reply('x') })],
  ['a reply to no CID', post('x', { reply: reply(uri, 'x') })],
  ['a reply', post('x', { reply: reply(uri) })],
  [
    'a facet',
    post('x', {
      facets: [
        {
          index: { byteStart: 0, byteEnd: 1 },
          features: [{ $type: 'app.bsky.richtext.facet#tag', tag: 'x' }],
        },
      ],
    }),
  ],
  [
    'a facet of an unknown kind',
    post('x', {
      facets: [{ index: { byteStart: 0, byteEnd: 1 }, features: [{ $type: 'com.example.facet', x: 1 }] }],
    }),
  ],
  [
    'a facet without a kind',
    post('x', { facets: [{ index: { byteStart: 0, byteEnd: 1 }, features: [{ tag: 'x' }] }] }),
  ],
  [
    'a facet before the text',
    post('x', { facets: [{ index: { byteStart: -1, byteEnd: 1 }, features: [] }] }),
  ],
  ['an embed of an unknown kind', post('x', { embed: { $type: 'com.example.embed' } })],
  ['an embed without a kind', post('x', { embed: { images: [] } })],
  ['a fraction', post('x', { n: 1.5 })],
  ['another type', { $type: LIKE, text: 'x', createdAt }],
  ['a type that is null', { $type: null, text: 'x', createdAt }],
  ['a type that is a number', { $type: 7, text: 'x', createdAt }],
  ['no type', { text: 'x', createdAt }],
  ['an empty type', { $type: '', text: 'x', createdAt }],
  ['a blob for a text', post(blobJson(unknownBlob, 'image/png', 1) as never)],
  ['a tag list that is too long', post('x', { tags: Array.from({ length: 9 }, (_, n) => `t${n}`) })],
  [
    'an unknown self-label',
    post('x', { labels: { $type: 'com.atproto.label.defs#selfLabels', values: [{ val: 'x' }] } }),
  ],
]

/** Values in records of a kind that nobody knows: the data model and no more. */
const values: readonly [string, unknown][] = [
  ['a fraction', 1.5],
  ['1.0', '1.0 as it stands'],
  ['a large number', 2 ** 53 + 2],
  ['a huge number', 1e30],
  ['the largest number', Number.MAX_SAFE_INTEGER],
  ['the smallest number', Number.MIN_SAFE_INTEGER],
  ['minus zero', '-0 as it stands'],
  ['null', null],
  ['a list', [1, [2, [3]]]],
  ['nothing', {}],
  ['an empty key', { '': 1 }],
  ['__proto__', JSON.parse('{"__proto__": {"a": 1}}')],
  ['constructor', { constructor: 1 }],
  ['a NUL', 'a\u0000b'],
  ['half a character', '\ud800'],
  ['characters', 'ä€😀\u2028\u200f'],
  ['keys out of order', { bb: 1, a: 2, c: 3, aaa: 4 }],
  ['a link', { $link: unknownCid }],
  ['a link to a blob', { $link: unknownBlob }],
  ['a link that is none', { $link: 'x' }],
  ['a link of version 0', { $link: 'QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR' }],
  ['a link and more', { $link: unknownCid, more: 1 }],
  ['a link that is a number', { $link: 7 }],
  ['bytes', { $bytes: 'AQID' }],
  ['bytes with padding', { $bytes: 'AQ==' }],
  ['no bytes', { $bytes: '' }],
  ['bytes that are none', { $bytes: '!' }],
  ['bytes and more', { $bytes: 'AQID', more: 1 }],
  ['a blob of another kind', { $type: 'blob' }],
  ['a blob without a size', { $type: 'blob', ref: { $link: unknownBlob }, mimeType: 'image/png' }],
  ['a blob of no bytes', blobJson(unknownBlob, 'image/png', 0)],
  ['a blob of minus one', blobJson(unknownBlob, 'image/png', -1)],
  ['a blob of a fraction', blobJson(unknownBlob, 'image/png', 1.5)],
  ['a blob without a type', blobJson(unknownBlob, '', 1)],
  ['a blob of no type', blobJson(unknownBlob, 'x', 1)],
  ['a blob that is no file', blobJson(unknownCid, 'image/png', 1)],
  ['a blob of version 0', blobJson('QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR', 'image/png', 1)],
  ['a blob that is not there', blobJson(unknownBlob, 'image/png', 1)],
  ['a blob and more', { ...blobJson(unknownBlob, 'image/png', 1), more: 1 }],
  ['a blob of the old form', { cid: unknownBlob, mimeType: 'image/png' }],
  ['what is like a blob of the old form', { cid: unknownBlob, mimeType: 'image/png', more: 1 }],
  ['a blob of the old form without a CID', { cid: 'x', mimeType: 'image/png' }],
  ['60 levels', nested(60)],
  ['2000 values', Array.from({ length: 2000 }, (_, n) => n)],
  ['a type', { $type: 'com.example.other#thing', x: 1 }],
  ['a type that is none', { $type: 7 }],
  ['an empty type', { $type: '' }],
  ['a field with a dollar', { $other: 1 }],
]

/**
 * Values that the reference stores and we refuse: sent for bob, because his records are not looked
 * at.
 */
const refused = new Set([
  'half a character',
  'a link that is none',
  'a link and more',
  'a link that is a number',
  'bytes that are none',
  'bytes and more',
  'a blob of another kind',
  'a blob without a size',
  'a blob without a type',
  'a blob of no type',
  'a blob and more',
  'a type that is none',
  'an empty type',
])

const rkeys = [
  'self',
  '.',
  '..',
  'a/b',
  'a b',
  'ä',
  '',
  'x'.repeat(512),
  'x'.repeat(513),
  'zzzzzzzzzzzzz',
  '3laaaaaaaaaa',
  '0000000000000',
]

/** Records created in every way. */
export const creating: readonly Case[] = [
  ...[undefined, true, false].flatMap((validate) => [
    ...posts.map(([label, record]) => create(`${label}, validate ${validate}`, { record, validate })),
    ...rkeys.map((rkey, n) =>
      create(`key ${n} "${rkey.slice(0, 20)}", validate ${validate}`, {
        rkey,
        record: post(`k${n} ${validate}`),
        validate,
      }),
    ),
    ...[null, [], 'x', 7, true].map((record) =>
      create(`${JSON.stringify(record)}, validate ${validate}`, { record, validate }),
    ),
    create(`unknown, validate ${validate}`, {
      collection: THING,
      rkey: `v${validate}`,
      record: { a: 1 },
      validate,
    }),
    create(`a profile that is not self, validate ${validate}`, {
      collection: PROFILE,
      rkey: 'me',
      record: {},
      validate,
    }),
    create(`a query for a collection, validate ${validate}`, {
      collection: 'com.atproto.repo.getRecord',
      rkey: 'a',
      record: {},
      validate,
    }),
    create(`definitions for a collection, validate ${validate}`, {
      collection: 'app.bsky.actor.defs',
      rkey: 'a',
      record: {},
      validate,
    }),
  ]),
  ...values.map(([label, value], n) => {
    const isText = typeof value === 'string' && value.endsWith(' as it stands')
    const record = { value: isText ? '@@' : value }
    const user = refused.has(label) ? 'bob' : 'carol'
    const body = (peer: Peer) => {
      const json = JSON.stringify({
        repo: peer.users[user].did,
        collection: THING,
        rkey: `value-${n}`,
        record,
      })
      return Buffer.from(isText ? json.replace('"@@"', value.split(' ')[0] as string) : json)
    }
    return scene(`com.atproto.repo.createRecord: a thing with ${label}`, (peer) => ({
      path: 'com.atproto.repo.createRecord',
      verb: 'POST',
      headers: { ...as(user)(peer), 'content-type': 'application/json' },
      body: body(peer),
    }))
  }),
  look('things', THING),
  // Bob's, because his records are not looked at.
  scene('com.atproto.repo.createRecord: half a character as a key', (peer) => ({
    path: 'com.atproto.repo.createRecord',
    verb: 'POST',
    headers: as('bob')(peer),
    body: { repo: peer.users.bob.did, collection: THING, rkey: 'half', record: { '\ud800': 1 } },
  })),
  create('a new key', { rkey: keyAt(1), record: post('one') }),
  create('the same key', { rkey: keyAt(1), record: post('two') }),
  create('the same key and record', { rkey: keyAt(1), record: post('one') }),
  create('two keys in one body', { rkey: keyAt(2), record: post('two'), record2: 1 }),
  create('a wrong swapCommit', { rkey: keyAt(3), record: post('x'), swapCommit: unknownCid }),
  create('a null swapCommit', { rkey: keyAt(3), record: post('x'), swapCommit: null }),
  call('createRecord', 'the right swapCommit', async (peer: Peer) => ({
    ...carol({ collection: POST, rkey: keyAt(3), record: post('three') })(peer),
    swapCommit: await headOf(peer),
  })),
  call('createRecord', 'by handle', {
    repo: 'carol-here.test',
    collection: POST,
    rkey: keyAt(4),
    record: post('four'),
  }),
  call('createRecord', 'by a handle in capitals', {
    repo: 'Carol-here.test',
    collection: POST,
    rkey: keyAt(4),
    record: post('four'),
  }),
  call('createRecord', 'for another', ({ users }: Peer) => ({
    repo: users.alice.did,
    collection: POST,
    record: post('x'),
  })),
  call('createRecord', 'for another by handle', {
    repo: 'alice-here.test',
    collection: POST,
    record: post('x'),
  }),
  call('createRecord', 'for one who is deactivated', ({ users }: Peer) => ({
    repo: users.dora.did,
    collection: POST,
    record: post('x'),
  })),
  create('900 kB', { collection: THING, rkey: 'large', record: { text: 'x'.repeat(900_000) } }),
  create('over 1 MB', { collection: THING, rkey: 'larger', record: { text: 'x'.repeat(1_000_001) } }),
  look('after all that'),
]
