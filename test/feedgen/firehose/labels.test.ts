/**
 * Labelers: what they say of posts and accounts comes into the index, if they signed it, and the
 * newest word counts.
 */
import Sqlite from 'better-sqlite3'
import { expect, onTestFinished, test } from 'vitest'
import { guardedFetch } from '#platform/fetch.ts'
import { encode } from '#protocol/cbor.ts'
import { type Cid, cidForCbor, cidToBytes, formatCid } from '#protocol/cid.ts'
import { generateKey } from '#protocol/keys.ts'
import { readConfig } from '../../../feedgen/config.ts'
import { Counts } from '../../../feedgen/firehose/counts.ts'
import { Following } from '../../../feedgen/firehose/subscriptions.ts'
import { AuthorKeys } from '../../../feedgen/identity/identity-cache.ts'
import { openIndex } from '../../../feedgen/index/database.ts'
import { Author } from '../../support/author.ts'
import { startDirectory } from '../../support/directory.ts'
import { encodeLabelsFrame, signLabel, startLabeler, type TestLabeler } from '../../support/labeler.ts'
import { temporaryFolder } from '../../support/processes.ts'
import { eventually, startFeedgen } from '../support.ts'
import { rows } from '../tables.ts'

async function stage() {
  const directory = await startDirectory()
  const labeler = await startLabeler(directory)
  const folder = temporaryFolder()
  const start = () =>
    startFeedgen({
      endpoints: [],
      labelers: [labeler.did],
      plcUrl: directory.url,
      sqliteLocation: `${folder.path}/index.sqlite`,
    })
  const feedgen = await start()
  onTestFinished(async () => {
    await feedgen[Symbol.asyncDispose]()
    await labeler[Symbol.asyncDispose]()
    await directory[Symbol.asyncDispose]()
    folder[Symbol.dispose]()
  })
  return { directory, labeler, feedgen, start }
}

/** What the labels in the index say. */
const labelsIn = (file: string) =>
  rows(
    file,
    `select labeler.did as src, val, labels.neg as neg, expires_at, subject.did as account, posts.rkey as post from labels
     join accounts labeler on labeler.id = src join accounts subject on subject.id = account
     left join posts on posts.id = post order by val, post`,
  )

const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1) + seconds * 1000).toISOString()

test('labels are stored with their negations and expiry', async () => {
  const { labeler, feedgen } = await stage()
  const alice = new Author()
  const post = alice.uri('app.bsky.feed.post/3kaaaaaaaaaaa')
  labeler.label(
    { uri: alice.did, val: 'rude', cts: at(1) },
    { uri: post, val: 'spam', cts: at(1), exp: at(60) },
  )
  await feedgen.reached(labeler.name, labeler.label({ uri: post, val: 'porn', cts: at(2) }))
  const { did: src } = labeler
  const account = alice.did
  expect(labelsIn(feedgen.file)).toEqual([
    { src, account, post: '3kaaaaaaaaaaa', val: 'porn', neg: 0, expires_at: null },
    { src, account, post: null, val: 'rude', neg: 0, expires_at: null },
    { src, account, post: '3kaaaaaaaaaaa', val: 'spam', neg: 0, expires_at: Date.parse(at(60)) },
  ])
  // A negation, and one that is older than what it would negate.
  labeler.label({ uri: alice.did, val: 'rude', neg: true, cts: at(3) })
  await feedgen.reached(labeler.name, labeler.label({ uri: post, val: 'porn', neg: true, cts: at(1) }))
  expect(labelsIn(feedgen.file)).toMatchObject([
    { val: 'porn', neg: 0 },
    { val: 'rude', neg: 1 },
    { val: 'spam', neg: 0 },
  ])
})

test('labels keep the CID that they name, those of accounts have none', async () => {
  const { labeler, feedgen } = await stage()
  const alice = new Author()
  const uri = alice.uri('app.bsky.feed.post/3kaaaaaaaaaaa')
  const [one, other] = ['one', 'other'].map((text) => cidForCbor(encode({ text }))) as [Cid, Cid]
  labeler.label(
    { uri, cid: formatCid(one), val: 'spam', cts: at(1) },
    { uri, cid: formatCid(other), val: 'spam', cts: at(2) },
    { uri, val: 'spam', cts: at(3) },
    { uri: alice.did, cid: formatCid(one), val: 'rude', cts: at(1) },
    { uri: alice.did, val: 'rude', cts: at(2) },
  )
  const versions = () =>
    rows(feedgen.file, 'select val, cid, neg from labels order by val, made_at') as object[]
  const seq = labeler.label({ uri, cid: formatCid(one), val: 'spam', cts: at(4), neg: true })
  await feedgen.reached(labeler.name, seq)
  const hex = (cid: Cid) => cidToBytes(cid).toString('hex')
  expect(versions()).toEqual([
    { val: 'rude', cid: '', neg: 0 },
    { val: 'spam', cid: hex(other), neg: 0 },
    { val: 'spam', cid: '', neg: 0 },
    { val: 'spam', cid: hex(one), neg: 1 },
  ])
})

test('labels stored without a version hold for all versions until the next label', async () => {
  const { labeler, feedgen, start } = await stage()
  const alice = new Author()
  const uri = alice.uri('app.bsky.feed.post/3kaaaaaaaaaaa')
  const [left, ended] = ['left', 'ended'].map((val) => ({ uri, val, cts: at(2) }))
  await feedgen.reached(labeler.name, labeler.label({ ...left }, { ...ended }))
  await feedgen[Symbol.asyncDispose]()
  const database = new Sqlite(feedgen.file)
  database.exec(`
    create table labels_old (val text not null, src bigint not null, account bigint not null, post bigint not null,
      neg bigint not null, made_at bigint not null, expires_at bigint,
      primary key (account, post, src, val)) without rowid;
    insert into labels_old select val, src, account, post, neg, made_at, expires_at from labels;
    drop table labels; alter table labels_old rename to labels;
    create index labels_by_value on labels (src, val, made_at);
    drop table follow_reads;
    drop index accounts_sweep;
    alter table accounts drop column sweep;
    alter table lists drop column items_read_at;
    alter table viewers drop column mutuals_asked_at;
    alter table viewers drop column mutuals_read_at;
    delete from kysely_migration where name >= '009';
  `)
  database.close()
  await using again = await start()
  const versions = () => rows(feedgen.file, 'select val, cid, neg from labels order by val, cid')
  expect(versions()).toEqual([
    { val: 'ended', cid: '?', neg: 0 },
    { val: 'left', cid: '?', neg: 0 },
  ])
  const cid = cidForCbor(encode({}))
  const seq = labeler.label(
    { uri, cid: formatCid(cid), val: 'left', neg: true, cts: at(1) },
    { uri, cid: formatCid(cid), val: 'ended', neg: true, cts: at(3) },
  )
  await again.reached(labeler.name, seq)
  expect(versions()).toEqual([
    { val: 'ended', cid: cidToBytes(cid).toString('hex'), neg: 1 },
    { val: 'left', cid: '?', neg: 0 },
  ])
})

test('a labeler is followed from its first label, and then from its cursor', async () => {
  const { labeler, feedgen, start } = await stage()
  await feedgen.reached(labeler.name, labeler.label({ val: 'one' }))
  labeler.cut()
  await eventually(() => labeler.cursors.length === 2)
  await feedgen[Symbol.asyncDispose]()
  const seq = labeler.label({ val: 'two' })
  await using again = await start()
  await again.reached(labeler.name, seq)
  expect(labeler.cursors).toEqual([0, 1, 1])
  expect(labelsIn(again.file)).toHaveLength(2)
})

test('a labeler that no definition names is unsubscribed, and later resumed at its cursor', async () => {
  const directory = await startDirectory()
  const [configured, named] = [await startLabeler(directory), await startLabeler(directory)]
  await using feedgen = await startFeedgen({ endpoints: [], plcUrl: directory.url })
  const index = await openIndex(feedgen.file)
  const fetch = guardedFetch({ allowPrivate: true })
  const following = new Following({
    ...readConfig({ FEEDGEN_HOSTNAME: 'feeds.test', FEEDGEN_DEV_MODE: 'true' }),
    endpoints: [],
    labelers: [configured.did],
    plcUrl: directory.url,
    reconnectDelayMs: 20,
    index: index.writer,
    keys: new AuthorKeys({ plcUrl: directory.url, fetch }),
    counts: new Counts(),
    fetch,
    written: () => undefined,
  })
  onTestFinished(async () => {
    await following[Symbol.asyncDispose]()
    await index[Symbol.asyncDispose]()
    for (const one of [configured, named, directory]) await one[Symbol.asyncDispose]()
  })
  following.wantLabelers([named.did])
  await feedgen.reached(named.name, named.label({ val: 'one' }))
  following.wantLabelers([])
  // Wanted again before it has ended.
  following.wantLabelers([named.did])
  await feedgen.reached(named.name, named.label({ val: 'two' }))
  expect(named.cursors).toEqual([0, 1])
  following.wantLabelers([])
  await eventually(() => named.connections === 0)
  await feedgen.reached(configured.name, configured.label({ val: 'still' }))
  expect(configured.cursors).toEqual([0])
})

test('a labeler with a new key is looked up again', async () => {
  const { directory, labeler, feedgen } = await stage()
  await feedgen.reached(labeler.name, labeler.label({ val: 'one' }))
  labeler.key = generateKey()
  labeler.register()
  // The document is fetched no more often than once a minute: the first time was for the
  // connection.
  const before = directory.requests.length
  await feedgen.reached(labeler.name, labeler.label({ val: 'two' }))
  expect(directory.requests.length - before).toBeLessThanOrEqual(1)
})

interface Wrong {
  name: string
  fault: string
  send(labeler: TestLabeler): void
}

const label = (labeler: TestLabeler, more: object = {}) => ({
  ver: 1,
  src: labeler.did,
  uri: labeler.did,
  val: 'wrong',
  cts: at(1),
  ...more,
})

const wrong: Wrong[] = [
  {
    name: 'bytes that are nothing',
    fault: 'malformed-frame',
    send: (labeler) => labeler.send(Buffer.from('x')),
  },
  {
    name: 'labels that are no list',
    fault: 'malformed-frame',
    send: (labeler) =>
      labeler.send(Buffer.concat([encode({ op: 1, t: '#labels' }), encode({ seq: 1, labels: 1 })])),
  },
  {
    name: 'a label without a subject',
    fault: 'malformed-label',
    send: (labeler) =>
      labeler.send(
        Buffer.concat([encode({ op: 1, t: '#labels' }), encode({ seq: 1, labels: [{ val: 'x' }] })]),
      ),
  },
  {
    name: 'a label that another signed',
    fault: 'wrong-signature',
    send: (labeler) => labeler.send(encodeLabelsFrame(1, [signLabel(label(labeler), generateKey())])),
  },
  {
    name: 'a label that was changed after it was signed',
    fault: 'wrong-signature',
    send: (labeler) =>
      labeler.send(encodeLabelsFrame(1, [{ ...signLabel(label(labeler), labeler.key), val: 'changed' }])),
  },
  {
    name: 'a label in the name of another',
    fault: 'malformed-label',
    send: (labeler) => labeler.label({ src: new Author().did }),
  },
  { name: 'a label of no time', fault: 'malformed-label', send: (labeler) => labeler.label({ cts: 'now' }) },
  {
    name: 'a label that ends at no time',
    fault: 'malformed-label',
    send: (labeler) => labeler.label({ exp: 'x' }),
  },
  {
    name: 'a label of a version that cannot be',
    fault: 'malformed-label',
    send: (labeler) => labeler.label({ cid: 'bafyx' }),
  },
  {
    name: 'a value that is too long',
    fault: 'malformed-label',
    send: (labeler) => labeler.label({ val: 'x'.repeat(129) }),
  },
]

test.for(wrong)('$name: dropped, and the next label is stored', async ({ fault, send }) => {
  const { labeler, feedgen } = await stage()
  send(labeler)
  await feedgen.reached(labeler.name, labeler.label({ val: 'good' }))
  expect([...feedgen.counts.faults]).toEqual([[fault, 1]])
  expect(labelsIn(feedgen.file)).toMatchObject([{ val: 'good' }])
})
