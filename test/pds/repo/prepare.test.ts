import { CID } from 'multiformats/cid'
import { describe, expect, it } from 'vitest'
import { DomainError } from '#platform/errors.ts'
import { decode } from '#protocol/cbor.ts'
import { cidForCbor, formatCid } from '#protocol/cid.ts'
import { RECORD_DEPTH_MAX } from '#protocol/record.ts'
import { isTid } from '#protocol/tid.ts'
import { prepareRecord, type RecordInput } from '../../../pds/repo/prepare.ts'

const POST = 'app.bsky.feed.post'
const THING = 'com.example.thing'
const blobCid = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'
const post = (more: object = {}) => ({ text: 'x', createdAt: '2026-01-01T00:00:00Z', ...more })
const blob = (mimeType = 'image/png', size = 3) => ({
  $type: 'blob',
  ref: CID.parse(blobCid),
  mimeType,
  size,
})
const nested = (depth: number): unknown => (depth === 0 ? 1 : { a: nested(depth - 1) })

describe('a record', () => {
  it('is checked, encoded and named', () => {
    const record = prepareRecord({ collection: POST, rkey: '3laaaaaaaaaaa', record: post() })
    expect(record).toMatchObject({
      collection: POST,
      rkey: '3laaaaaaaaaaa',
      validationStatus: 'valid',
      blobs: [],
    })
    expect(decode(record.block)).toEqual({ $type: POST, ...post() })
    expect(record.cid).toBe(cidForCbor(record.block))
  })

  it('without a key gets a new one, higher each time', () => {
    const keys = Array.from({ length: 100 }, () => prepareRecord({ collection: POST, record: post() }).rkey)
    expect(keys.every(isTid)).toBe(true)
    expect([...new Set(keys)].sort()).toEqual(keys)
  })

  it('may be of an unknown kind, unless the caller wants it checked', () => {
    const input = { collection: THING, rkey: 'a', record: { any: ['thing', 1, true, null] } }
    expect(prepareRecord(input).validationStatus).toBe('unknown')
    expect(prepareRecord({ ...input, validate: false }).validationStatus).toBeUndefined()
    expect(() => prepareRecord({ ...input, validate: true })).toThrow(
      'Unknown lexicon type: com.example.thing',
    )
  })

  it('need not be valid when the caller does not want it checked', () => {
    const input = { collection: POST, rkey: 'no-tid', record: { text: 1 } }
    expect(prepareRecord({ ...input, validate: false }).validationStatus).toBeUndefined()
    expect(() => prepareRecord(input)).toThrow(DomainError)
  })

  it('may nest, but not without end', () => {
    const record = (depth: number) => prepareRecord({ collection: THING, record: { value: nested(depth) } })
    expect(() => record(RECORD_DEPTH_MAX - 2)).not.toThrow()
    expect(() => record(RECORD_DEPTH_MAX)).toThrow('deeper than 1024')
    expect(() => record(5000)).toThrow('deeper than 1024')
  })

  it('holds links, bytes and blobs as the data model has them', () => {
    const record = { link: CID.parse(blobCid), bytes: Uint8Array.of(1, 2, 3), blob: blob() }
    const prepared = prepareRecord({ collection: THING, record })
    expect(decode(prepared.block)).toEqual({
      $type: THING,
      link: CID.parse(blobCid),
      bytes: Uint8Array.of(1, 2, 3),
      blob: { $type: 'blob', ref: CID.parse(blobCid), mimeType: 'image/png', size: 3 },
    })
    expect(prepared.blobs.map(({ cid, ...rest }) => ({ cid: formatCid(cid), ...rest }))).toEqual([
      { cid: blobCid, mimeType: 'image/png', size: 3 },
    ])
  })

  it('names its blobs wherever they are, unchecked too', () => {
    const record = { deep: [{ deeper: { blob: blob() } }, blob()] }
    expect(prepareRecord({ collection: THING, record, validate: false }).blobs).toHaveLength(2)
  })
})

describe('what points at something', () => {
  const did = 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa'
  const subject = { uri: `at://${did}/${POST}/3laaaaaaaaaaa`, cid: blobCid.replace('bafkr', 'bafyr') }
  const createdAt = '2026-01-01T00:00:00Z'

  it.each<[string, unknown, string | null]>([
    ['app.bsky.feed.like', subject, subject.uri],
    ['app.bsky.feed.repost', subject, subject.uri],
    ['app.bsky.graph.follow', did, did],
    ['app.bsky.graph.block', did, did],
    ['app.bsky.graph.listitem', did, null],
    [POST, subject, null],
  ])('%s', (collection, subject, expected) => {
    const input = { collection, record: { subject, createdAt }, validate: false }
    expect(prepareRecord(input).subject).toBe(expected)
  })

  it.each([undefined, null, 7, 'x', { uri: 7 }, { uri: 'x' }, [], {}])('may point nowhere: %j', (subject) => {
    for (const collection of ['app.bsky.feed.like', 'app.bsky.graph.follow']) {
      const record = subject === undefined ? {} : { subject }
      expect(prepareRecord({ collection, record, validate: false }).subject).toBeNull()
    }
  })
})

describe('what is no record', () => {
  it.each<[string, Partial<RecordInput>, string]>([
    ['another type', { record: { $type: 'app.bsky.feed.like' } }, `Invalid $type: expected ${POST}`],
    ['a type that is no text', { record: { $type: 7 } }, 'Invalid $type'],
    ['a type that is null', { record: { $type: null } }, 'Invalid $type'],
    ['a collection that is no name', { collection: 'posts' }, 'Invalid collection'],
    ['a key with a slash', { rkey: 'a/b' }, 'Invalid record key'],
    ['a key of dots', { rkey: '..' }, 'Invalid record key'],
    ['no key', { rkey: '' }, 'Invalid record key'],
    ['a long key', { rkey: 'a'.repeat(513) }, 'Invalid record key'],
    ['a key of another kind', { rkey: 'self' }, 'Invalid TID'],
    [
      'a profile that is not self',
      { collection: 'app.bsky.actor.profile', rkey: 'me', record: {} },
      'Expected "self"',
    ],
    ['a missing field', { record: { text: 'x' } }, 'Invalid app.bsky.feed.post record'],
    ['a field of another type', { record: post({ text: 7 }) }, '$.record.text'],
    ['a date that is none', { record: post({ createdAt: 'yesterday' }) }, '$.record.createdAt'],
    ['a text that is too long', { record: post({ text: 'x'.repeat(3001) }) }, '$.record.text'],
    ['a fraction', { collection: THING, record: { n: 1.5 } }, 'Invalid record'],
    ['a number beyond the safe ones', { collection: THING, record: { n: 2 ** 60 } }, 'Invalid record'],
    ['not a number', { collection: THING, record: { n: Number.NaN } }, 'Invalid record'],
    [
      'a blob of the old form',
      { record: post({ avatar: { cid: blobCid, mimeType: 'image/png' } }) },
      'Legacy blobs',
    ],
  ])('%s', (_, input, message) => {
    const prepare = () => prepareRecord({ collection: POST, record: post(), ...input })
    expect(prepare).toThrow(DomainError)
    expect(prepare).toThrow(message)
  })

  it('a blob that its lexicon does not take', () => {
    const image = (mimeType: string, size: number) => ({
      collection: POST,
      record: post({
        embed: {
          $type: 'app.bsky.embed.images',
          images: [{ alt: '', image: blob(mimeType, size) }],
        },
      }),
    })
    expect(() => prepareRecord(image('image/png', 1000))).not.toThrow()
    expect(() => prepareRecord(image('text/plain', 1000))).toThrow()
    expect(() => prepareRecord(image('image/png', 50_000_000))).toThrow()
  })
})
