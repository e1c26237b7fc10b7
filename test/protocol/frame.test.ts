import { encode as referenceEncode } from '@atproto/lex-cbor'
import { ErrorFrame, Frame, MessageFrame } from '@atproto/xrpc-server'
import { describe, expect, test } from 'vitest'
import { readCar } from '#protocol/car.ts'
import { decodeFirst, encode } from '#protocol/cbor.ts'
import { cidForCbor, cidToLink, isBlockOf } from '#protocol/cid.ts'
import { decodeCommit, verifyCommit } from '#protocol/commit.ts'
import {
  commitBlocksBytesMax,
  decodeFrame,
  encodeErrorFrame,
  encodeFrame,
  FrameError,
  opsMax,
  type RepoEvent,
  syncBlocksBytesMax,
} from '#protocol/frame.ts'
import { parseVerificationMethod } from '#protocol/keys.ts'
import { Link } from '#protocol/link.ts'
import { mutate, seededRandom } from '../support/random.ts'
import { recordedDocuments, recordedFrames } from '../support/recorded.ts'
import { vectorJson } from '../support/vectors.ts'

const did = 'did:plc:2a7ygipkrbh544aqhcav53oy'
const time = '2026-07-04T14:39:14.000Z'
const [a, b, c] = ['a', 'b', 'c'].map((text) => cidForCbor(Buffer.from(text))) as [never, never, never]
const link = (cid: typeof a) => cidToLink(cid)

const commit: RepoEvent = {
  kind: 'commit',
  seq: 5,
  repo: did,
  commit: a,
  rev: '3jzfcijpj2z2b',
  since: '3jzfcijpj2z2a',
  prevData: b,
  blocks: new Uint8Array([1, 2, 3]),
  ops: [
    { action: 'create', path: 'app.bsky.feed.post/1', cid: a, prev: undefined },
    { action: 'update', path: 'app.bsky.feed.post/2', cid: b, prev: c },
    { action: 'delete', path: 'app.bsky.feed.post/3', cid: null, prev: c },
  ],
  blobs: [c],
  time,
  rebase: false,
  tooBig: false,
}

/** Each event, and the body that the reference makes of it. */
const events: [string, RepoEvent, object][] = [
  [
    'commit',
    commit,
    {
      ...commit,
      kind: undefined,
      commit: link(a),
      prevData: link(b),
      blobs: [link(c)],
      ops: [
        { action: 'create', path: 'app.bsky.feed.post/1', cid: link(a) },
        { action: 'update', path: 'app.bsky.feed.post/2', cid: link(b), prev: link(c) },
        { action: 'delete', path: 'app.bsky.feed.post/3', cid: null, prev: link(c) },
      ],
    },
  ],
  [
    'the first commit',
    { ...commit, since: null, prevData: undefined, ops: [], blobs: [] },
    { ...commit, kind: undefined, commit: link(a), since: null, prevData: undefined, ops: [], blobs: [] },
  ],
  [
    'sync',
    { kind: 'sync', seq: 6, did, rev: '3jzfcijpj2z2b', blocks: new Uint8Array(9), time },
    { seq: 6, did, rev: '3jzfcijpj2z2b', blocks: new Uint8Array(9), time },
  ],
  ['identity', { kind: 'identity', seq: 7, did, time, handle: undefined }, { seq: 7, did, time }],
  [
    'identity with a handle',
    { kind: 'identity', seq: 7, did, time, handle: 'a.test' },
    { seq: 7, did, time, handle: 'a.test' },
  ],
  [
    'account',
    { kind: 'account', seq: 8, did, time, active: true, status: undefined },
    { seq: 8, did, time, active: true },
  ],
  [
    'account that is gone',
    { kind: 'account', seq: 8, did, time, active: false, status: 'deleted' },
    { seq: 8, did, time, active: false, status: 'deleted' },
  ],
  [
    'info',
    { kind: 'info', name: 'OutdatedCursor', message: 'late' },
    { name: 'OutdatedCursor', message: 'late' },
  ],
]

test.each(events)('%s encodes to the same bytes as @atproto/xrpc-server, and back', (_, event, body) => {
  const frame = encodeFrame(event)
  const theirs = new MessageFrame(body as never, { type: `#${event.kind}` }).toBytes()
  expect(frame.equals(theirs)).toBe(true)
  expect(decodeFrame(frame)).toEqual(event)
  const read = Frame.fromBytes(frame)
  expect(read.header).toEqual({ op: 1, t: `#${event.kind}` })
  expect(Buffer.from(referenceEncode(read.body)).equals(frame.subarray(decodeFirst(frame).end))).toBe(true)
})

test.each([undefined, 'a message'])(
  'the error frame equals that of @atproto/xrpc-server, message %s',
  (message) => {
    const frame = encodeErrorFrame('FutureCursor', message)
    expect(frame.equals(new ErrorFrame({ error: 'FutureCursor', message }).toBytes())).toBe(true)
    expect(decodeFrame(frame)).toEqual({ kind: 'error', error: 'FutureCursor', message })
  },
)

test('frames with unknown kinds or fields are skipped', () => {
  const frame = (header: object, body: object) => Buffer.concat([encode(header), encode(body)])
  expect(decodeFrame(frame({ op: 1, t: '#later' }, { seq: 9, more: [1] }))).toEqual({
    kind: 'unknown',
    t: '#later',
    seq: 9,
  })
  expect(decodeFrame(frame({ op: 1, t: '#later' }, { seq: 'x' }))).toEqual({ kind: 'unknown', t: '#later' })
  expect(decodeFrame(frame({ op: 1, t: '#info', later: 1 }, { name: 'A', later: { b: 1 } }))).toEqual({
    kind: 'info',
    name: 'A',
  })
})

describe('refuses', () => {
  const full: { [key: string]: unknown } = { ...events[0]?.[2], kind: undefined }
  const op = { action: 'create', path: 'a/b', cid: new Link(a) }
  const frame = (body: unknown, header: unknown = { op: 1, t: '#commit' }) =>
    Buffer.concat([encode(header), encode(body)])

  test('nothing of a complete commit', () => {
    expect(decodeFrame(frame(full)).kind).toBe('commit')
    expect(decodeFrame(frame({ ...full, ops: Array(opsMax).fill(op) })).kind).toBe('commit')
  })

  test.each<[string, object]>([
    ...Object.keys(full)
      .filter((field) => full[field] !== undefined && field !== 'prevData')
      .map((field): [string, object] => [`no ${field}`, { [field]: undefined }]),
    ...Object.keys(full)
      .filter((field) => full[field] !== undefined)
      .map((field): [string, object] => [`${field} of another type`, { [field]: { a: 1 } }]),
    ['a repo that is no DID', { repo: 'example.com' }],
    ['a commit that is null', { commit: null }],
    ['a commit that is text', { commit: 'bafy' }],
    ['a prevData that is null', { prevData: null }],
    ['blocks beyond the limit', { blocks: new Uint8Array(commitBlocksBytesMax + 1) }],
    ['blobs that are text', { blobs: ['bafy'] }],
    ['ops beyond the limit', { ops: Array(opsMax + 1).fill(op) }],
    ['an op that is text', { ops: ['create'] }],
    ['an op of unknown action', { ops: [{ ...op, action: 'merge' }] }],
    ['an op without a path', { ops: [{ ...op, path: undefined }] }],
    ['a create without a cid', { ops: [{ ...op, cid: null }] }],
    ['a delete with a cid', { ops: [{ ...op, action: 'delete' }] }],
    ['an op whose prev is null', { ops: [{ ...op, prev: null }] }],
  ])('a commit with %s', (_, change) => {
    expect(() => decodeFrame(frame({ ...full, ...change }))).toThrow(FrameError)
  })

  test.each<[string, string, object]>([
    [
      '#sync',
      'large blocks',
      { seq: 1, did, rev: 'a', time, blocks: new Uint8Array(syncBlocksBytesMax + 1) },
    ],
    ['#sync', 'no rev', { seq: 1, did, time, blocks: new Uint8Array(1) }],
    ['#identity', 'no did', { seq: 1, time }],
    ['#identity', 'a handle that is a number', { seq: 1, did, time, handle: 1 }],
    ['#account', 'an active that is a number', { seq: 1, did, time, active: 1 }],
    ['#account', 'a status that is null', { seq: 1, did, time, active: false, status: null }],
    ['#info', 'no name', {}],
  ])('%s with %s', (t, _, body) => {
    expect(() => decodeFrame(frame(body, { op: 1, t }))).toThrow(FrameError)
  })

  test.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['a header alone', encode({ op: 1, t: '#info' })],
    ['three values', Buffer.concat([frame({ name: 'A' }, { op: 1, t: '#info' }), encode(1)])],
    ['a header that is not a map', frame({}, [1])],
    ['a body that is not a map', frame([1], { op: 1, t: '#info' })],
    ['no op', frame({}, { t: '#info' })],
    ['op 2', frame({}, { op: 2, t: '#info' })],
    ['no t', frame({}, { op: 1 })],
    ['an error without a name', frame({ message: 'a' }, { op: -1 })],
    ['text', Buffer.from('<html>')],
  ])('%s', (_, bytes) => {
    expect(() => decodeFrame(bytes)).toThrow(FrameError)
  })

  test('10,000 mutations, with a FrameError or not at all', () => {
    const random = seededRandom(9)
    let accepted = 0
    for (let i = 0; i < 10_000; i++) {
      const bytes = mutate(encodeFrame(random.pick(events)[1]), random)
      try {
        decodeFrame(bytes)
        accepted++
      } catch (error) {
        expect(error).toBeInstanceOf(FrameError)
      }
    }
    expect(accepted).toBeGreaterThan(100)
    expect(accepted).toBeLessThan(9900)
  })
})

describe('the recorded frames', () => {
  test('come back byte for byte, and every commit is in its blocks and signed by its account', () => {
    const documents = recordedDocuments()
    const counts: { [kind: string]: number } = { create: 0, update: 0, delete: 0 }
    for (const frame of recordedFrames()) {
      const event = decodeFrame(frame)
      counts[event.kind] = (counts[event.kind] ?? 0) + 1
      if (event.kind === 'unknown' || event.kind === 'error') throw new Error(`recorded ${event.kind}`)
      expect(encodeFrame(event).equals(frame)).toBe(true)
      if (event.kind !== 'commit') continue
      const { roots, blocks } = readCar(event.blocks)
      expect(roots).toEqual([event.commit])
      const signed = decodeCommit(blocks.get(event.commit) as Uint8Array)
      expect([signed.did, signed.rev]).toEqual([event.repo, event.rev])
      const method = documents.get(event.repo)?.verificationMethod.find(({ id }) => id.endsWith('#atproto'))
      expect(verifyCommit(signed, parseVerificationMethod(method as NonNullable<typeof method>))).toBe(true)
      for (const op of event.ops) {
        counts[op.action] = (counts[op.action] as number) + 1
        if (op.cid !== null) expect(isBlockOf(op.cid, blocks.get(op.cid) as Uint8Array)).toBe(true)
      }
    }
    const manifest = vectorJson<{ [name: string]: number }>('recorded/manifest.json')
    expect(counts).toEqual({
      commit: manifest.commit_frames,
      identity: manifest.identity,
      account: manifest.account,
      create: manifest.creates,
      update: manifest.updates,
      delete: manifest.deletes,
    })
  })

  test('mutated, are refused with a FrameError or read', () => {
    const random = seededRandom(10)
    const frames = recordedFrames()
    for (let i = 0; i < 10_000; i++) {
      try {
        decodeFrame(mutate(random.pick(frames), random))
      } catch (error) {
        expect(error).toBeInstanceOf(FrameError)
      }
    }
  })
})
