/**
 * Jetstream in both its forms: the same records come into the index as over the firehose, from
 * where the reading stopped.
 */
import { expect, onTestFinished, test } from 'vitest'
import { encode } from '#protocol/cbor.ts'
import { cidForCbor, formatCid } from '#protocol/cid.ts'
import { jsonToValue } from '#protocol/json.ts'
import { tidFromMicros } from '#protocol/tid.ts'
import { Author, pathOf } from '../../support/author.ts'
import { startDirectory } from '../../support/directory.ts'
import { type Jetstream, startJetstream } from '../../support/jetstream.ts'
import { temporaryFolder } from '../../support/processes.ts'
import { DICTIONARY_ID } from '../../support/zstd-dictionary.ts'
import { eventually, startFeedgen } from '../support.ts'
import { rows } from '../tables.ts'

const forms = [
  { form: 'plain' as const, cursor: 'micros' as const, collections: 'wantedCollections' },
  { form: 'events' as const, cursor: 'seq' as const, collections: 'collections' },
]

async function stage(form: 'plain' | 'events', prepare: (jetstream: Jetstream) => void = () => undefined) {
  const directory = await startDirectory()
  const jetstream = await startJetstream()
  prepare(jetstream)
  const folder = temporaryFolder()
  const start = () =>
    startFeedgen({
      endpoints: [jetstream[form]],
      plcUrl: directory.url,
      sqliteLocation: `${folder.path}/index.sqlite`,
    })
  const feedgen = await start()
  onTestFinished(async () => {
    await feedgen[Symbol.asyncDispose]()
    await jetstream[Symbol.asyncDispose]()
    await directory[Symbol.asyncDispose]()
    folder[Symbol.dispose]()
  })
  return { jetstream, feedgen, start, url: jetstream[form] }
}

const postUris = (file: string) =>
  rows<{ uri: string }>(
    file,
    `select 'at://' || did || '/app.bsky.feed.post/' || rkey as uri from posts join accounts on accounts.id = author
     where present = 1 and unsure = 0 order by 1`,
  ).map(({ uri }) => uri)

test.for(forms)(
  'the $form form brings records, changes of them, and what becomes of accounts',
  async ({ form, cursor, collections }) => {
    const { jetstream, feedgen, url } = await stage(form)
    const [alice, bob, carol] = [new Author(), new Author(), new Author()]
    const [one, two] = [alice.post('one'), bob.post('two')]
    for (const { event } of [one, two, carol.like(one.uri), carol.follow(alice.did)]) jetstream.emit(event)
    const gone = alice.post('gone')
    jetstream.emit(gone.event)
    jetstream.emit(alice.commit({ [pathOf(gone.uri)]: null }))
    const several = alice.commit({
      'app.bsky.feed.post/3kaaaaaaaaaaa': { text: 'a', createdAt: '2026-01-01T00:00:00Z' },
      'app.bsky.feed.post/3kbbbbbbbbbbb': { text: 'b', createdAt: '2026-01-01T00:00:00Z' },
    })
    const last = jetstream.emit(several)
    await feedgen.reached(url, last[cursor])
    expect(postUris(feedgen.file)).toEqual(
      [
        one.uri,
        two.uri,
        alice.uri('app.bsky.feed.post/3kaaaaaaaaaaa'),
        alice.uri('app.bsky.feed.post/3kbbbbbbbbbbb'),
      ].sort(),
    )
    expect(rows(feedgen.file, 'select likes from posts where likes > 0')).toEqual([{ likes: 1 }])
    expect(rows(feedgen.file, 'select * from follows')).toHaveLength(1)
    await expect.poll(() => feedgen.counts.outcomes).toMatchObject({ jumped: 0, stale: 0 })
    expect(feedgen.counts.faults.size).toBe(0)

    const time = new Date().toISOString()
    const off = jetstream.emit({
      kind: 'account',
      did: alice.did,
      time,
      active: false,
      status: 'deactivated',
    })
    await feedgen.reached(url, off[cursor])
    expect(rows(feedgen.file, 'select did, status from accounts where active = 0')).toEqual([
      { did: alice.did, status: 'deactivated' },
    ])
    const deleted = jetstream.emit({ kind: 'account', did: bob.did, time, active: false, status: 'deleted' })
    await feedgen.reached(url, deleted[cursor])
    expect(postUris(feedgen.file)).not.toContain(two.uri)
    expect(jetstream.queries[0]?.getAll(collections)).toContain('app.bsky.feed.post')
  },
)

test.for(forms)('Jetstream in its $form form is resumed at its cursor', async ({ form, cursor }) => {
  const { jetstream, feedgen, start, url } = await stage(form)
  const alice = new Author()
  const first = jetstream.emit(alice.post('one').event)
  await feedgen.reached(url, first[cursor])
  jetstream.cut()
  await eventually(() => jetstream.queries.length === 2)
  await feedgen.reached(url, jetstream.emit(alice.post('two').event)[cursor])
  await feedgen[Symbol.asyncDispose]()
  const third = jetstream.emit(alice.post('three').event)
  await using again = await start()
  await again.reached(url, third[cursor])
  expect(postUris(again.file)).toHaveLength(3)
  expect(jetstream.queries[1]?.get('cursor')).toBe(String(first[cursor]))
  await expect.poll(() => again.counts.outcomes.jumped).toBe(0)
})

test("Jetstream messages come compressed with the server's dictionary, and without one as text", async () => {
  const { jetstream, feedgen, url } = await stage('events')
  const alice = new Author()
  await feedgen.reached(url, jetstream.emit(alice.post('one').event).seq)
  expect(jetstream.queries[0]?.get('zstdDictionary')).toBe(String(DICTIONARY_ID))
  // The server trained another one: the old one is refused, and the new one fetched.
  jetstream.dictionary = 77
  jetstream.cut()
  await eventually(() => jetstream.queries.at(-1)?.get('zstdDictionary') === '77')
  await feedgen.reached(url, jetstream.emit(alice.post('two').event).seq)

  const without = await stage('events', (jetstream) => {
    jetstream.dictionary = undefined
  })
  await without.feedgen.reached(without.url, without.jetstream.emit(alice.post('three').event).seq)
  expect(without.jetstream.queries[0]?.has('zstdDictionary')).toBe(false)
  expect(feedgen.counts.faults.size).toBe(0)
})

test('a Jetstream cursor that the server no longer knows is dropped', async () => {
  const { jetstream, feedgen, url } = await stage('events')
  const alice = new Author()
  await feedgen.reached(url, jetstream.emit(alice.post('one').event).seq)
  jetstream.floor = 100
  jetstream.cut()
  await eventually(() => Number(jetstream.queries.at(-1)?.get('cursor')) >= 1e15)
  await feedgen.reached(url, jetstream.emit(alice.post('two').event).seq)
  expect(postUris(feedgen.file)).toHaveLength(2)
})

test('a Jetstream #sync desynchronizes the repository', async () => {
  const { jetstream, feedgen, url } = await stage('events')
  const alice = new Author()
  jetstream.emit(alice.post('one').event)
  alice.post('lost')
  await feedgen.reached(url, jetstream.emit(alice.sync()).seq)
  await expect.poll(() => feedgen.counts.outcomes.jumped).toBe(1)
  expect(postUris(feedgen.file)).toEqual([])
})

test.for(forms)(
  'whatever is wrong in the $form form is counted and passed over',
  async ({ form, cursor }) => {
    const { jetstream, feedgen, url } = await stage(form)
    const { did } = new Author()
    const wrap = (payload: object) =>
      JSON.stringify(
        form === 'plain'
          ? { did, time_us: 1_700_000_000_000_000, ...payload }
          : { $type: 'message', payload: { $type: 'x#commit', seq: 1, did, ...payload } },
      )
    const record = { $type: 'app.bsky.feed.post', text: 'x', createdAt: '2026-01-01T00:00:00Z' }
    const cid = formatCid(cidForCbor(encode(jsonToValue(record))))
    const good = {
      rev: tidFromMicros(1_700_000_000_000_000, 1),
      operation: 'create',
      collection: 'app.bsky.feed.post',
      rkey: '3k',
      cid,
      record,
    }
    const commit = (more: object) =>
      wrap(form === 'plain' ? { kind: 'commit', commit: { ...good, ...more } } : { ...good, ...more })
    const bad = [
      'rubbish',
      '[]',
      wrap({ did: 'nobody', kind: 'commit', commit: good }),
      commit({ rev: 'x' }),
      commit({ rev: tidFromMicros((Date.now() + 3_600_000) * 1000, 1) }),
      commit({ operation: 'steal' }),
      commit({ collection: '../x', rkey: '' }),
      commit({ cid: undefined }),
      commit({ record: { ...record, text: 'another' } }),
      commit({ record: { ...record, n: 1.5 } }),
      commit({ record: null }),
    ]
    await eventually(() => jetstream.queries.length === 1)
    for (const text of bad) jetstream.send(text)
    const last = jetstream.emit(new Author().post('good').event)
    await feedgen.reached(url, last[cursor])
    const counted = [...feedgen.counts.faults.values()].reduce((sum, count) => sum + count, 0)
    expect(counted).toBe(bad.length)
    expect(feedgen.counts.faults.has('internal')).toBe(false)
    expect(postUris(feedgen.file)).toHaveLength(1)
  },
)
