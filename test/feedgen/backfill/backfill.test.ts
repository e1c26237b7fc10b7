/**
 * What the firehose does not bring is fetched from where accounts are: here a PDS with a life
 * before anybody listened.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { logger } from '#platform/log.ts'
import { encode } from '#protocol/cbor.ts'
import { cidForCbor } from '#protocol/cid.ts'
import type { Definition } from '../../../feedgen/algorithm/definition.ts'
import { Backfill, type BackfillOptions, MUTUALS_OF_MAX } from '../../../feedgen/backfill/backfill.ts'
import { NotThereError, ServerError } from '../../../feedgen/backfill/pds-client.ts'
import { openIndex } from '../../../feedgen/index/database.ts'
import { randomPlcDid } from '../../support/author.ts'
import { createUser, type InProcessPds, startPds, type TestUser } from '../../support/pds.ts'
import { startPlc } from '../../support/plc.ts'
import { temporaryFolder } from '../../support/processes.ts'
import { eventually, SERVICE_DID, startFeedgen, type TestFeedgen } from '../support.ts'
import { rows } from '../tables.ts'

const endpointOf = (pds: InProcessPds) =>
  `${pds.url.replace('http', 'ws')}/xrpc/com.atproto.sync.subscribeRepos`

/** A PDS with some users, and a feed generator that listens from when it is started. */
async function stage(names: string[]) {
  const plc = await startPlc()
  const pds = await startPds({ plcUrl: plc.url })
  const users: TestUser[] = []
  for (const name of names) users.push(await createUser(pds, name))
  const open: AsyncDisposable[] = []
  onTestFinished(async () => {
    for (const one of [...open, pds, plc]) await one[Symbol.asyncDispose]()
  })
  const listen = async (more: object = {}): Promise<TestFeedgen> => {
    const feedgen = await startFeedgen({
      endpoints: [endpointOf(pds)],
      start: 'live',
      backfill: true,
      plcUrl: plc.url,
      serviceDid: SERVICE_DID,
      ...more,
    })
    open.unshift(feedgen)
    return feedgen
  }
  return { pds, users, listen }
}

/** Resolves when the feed generator hears what happens: a post shows up. */
async function listening(feedgen: TestFeedgen, { agent }: TestUser): Promise<void> {
  await eventually(async () => {
    await agent.post({ text: 'do you hear me?' })
    return feedgen.counts.events.commit > 0
  })
}

const create = (user: TestUser, collection: string, record: object) =>
  user.agent.com.atproto.repo
    .createRecord({
      repo: user.did,
      collection,
      record: { $type: collection, createdAt: new Date().toISOString(), ...record },
    })
    .then(({ data }) => data)

const edges = (file: string, table: 'follows' | 'blocks') =>
  rows<{ subject: string }>(
    file,
    `select b.did as subject from ${table} join accounts a on a.id = author join accounts b on b.id = subject order by 1`,
  ).map(({ subject }) => subject)

const METHOD = 'app.bsky.feed.getFeedSkeleton'

/** The header of a request in the user's name. */
async function tokenOf({ agent }: TestUser, lxm = METHOD) {
  const { data } = await agent.com.atproto.server.getServiceAuth({ aud: SERVICE_DID, lxm })
  return { authorization: `Bearer ${data.token}` }
}

/** Asks for a page in the user's name. */
async function look(feedgen: TestFeedgen, user: TestUser, name = 'following') {
  const feed = `at://${user.did}/app.bsky.feed.generator/${name}`
  return feedgen.get(METHOD, { feed }, await tokenOf(user))
}

describe('a viewer who is first seen', () => {
  test('has follows, likes, blocks and lists fetched, also of those lists that are blocked', async () => {
    const { users, listen } = await stage(['alice', 'bob', 'carol', 'dan'])
    const [alice, bob, carol, dan] = users as [TestUser, TestUser, TestUser, TestUser]
    const liked = await bob.agent.post({ text: 'liked' })
    await alice.agent.follow(bob.did)
    await alice.agent.like(liked.uri, liked.cid)
    await create(alice, 'app.bsky.graph.block', { subject: carol.did })
    const own = await create(alice, 'app.bsky.graph.list', {
      name: 'mine',
      purpose: 'app.bsky.graph.defs#curatelist',
    })
    await create(alice, 'app.bsky.graph.listitem', { list: own.uri, subject: bob.did })
    const bad = await create(bob, 'app.bsky.graph.list', {
      name: 'bad',
      purpose: 'app.bsky.graph.defs#modlist',
    })
    await create(bob, 'app.bsky.graph.listitem', { list: bad.uri, subject: dan.did })
    await create(alice, 'app.bsky.graph.listblock', { subject: bad.uri })

    const feedgen = await listen({ publisherDid: alice.did })
    await look(feedgen, alice)
    await eventually(
      () => rows(feedgen.file, 'select 1 from viewers where fetched_at is not null').length === 1,
    )
    expect(edges(feedgen.file, 'follows')).toEqual([bob.did])
    expect(edges(feedgen.file, 'blocks')).toEqual([carol.did])
    expect(rows(feedgen.file, 'select 1 from likes')).toHaveLength(1)
    expect(
      rows(
        feedgen.file,
        `select name, did from list_items join lists on lists.id = list join accounts on accounts.id = subject order by name`,
      ),
    ).toEqual([
      { name: 'bad', did: dan.did },
      { name: 'mine', did: bob.did },
    ])
    expect(rows(feedgen.file, 'select 1 from list_blocks')).toHaveLength(1)

    // What happens from now on comes with the firehose.
    await listening(feedgen, dan)
    await alice.agent.follow(dan.did)
    await eventually(() => edges(feedgen.file, 'follows').length === 2)
  })

  test('with more than a page of follows has all of them fetched', async () => {
    const { users, listen } = await stage(['alice'])
    const [alice] = users as [TestUser]
    const subjects = Array.from({ length: 230 }, (_, i) => `did:web:n${i}.example.com`)
    for (let from = 0; from < subjects.length; from += 115) {
      await alice.agent.com.atproto.repo.applyWrites({
        repo: alice.did,
        writes: subjects.slice(from, from + 115).map((subject) => ({
          $type: 'com.atproto.repo.applyWrites#create',
          collection: 'app.bsky.graph.follow',
          value: { $type: 'app.bsky.graph.follow', subject, createdAt: new Date().toISOString() },
        })),
      })
    }
    const feedgen = await listen({ publisherDid: alice.did })
    await look(feedgen, alice)
    await eventually(() => edges(feedgen.file, 'follows').length === subjects.length)
  })
})

describe('who asks for mutuals', () => {
  const followAll = (user: TestUser, subjects: string[]) =>
    user.agent.com.atproto.repo.applyWrites({
      repo: user.did,
      writes: subjects.map((subject) => ({
        $type: 'com.atproto.repo.applyWrites#create',
        collection: 'app.bsky.graph.follow',
        value: { $type: 'app.bsky.graph.follow', subject, createdAt: new Date().toISOString() },
      })),
    })
  const others = (count: number) => Array.from({ length: count }, (_, i) => `did:web:n${i}.example.com`)

  test('sees those whose follows no stream brought, and of those only what is needed is kept', async () => {
    const { users, listen } = await stage(['alice', 'bob', 'carol', 'dan', 'erin'])
    const [alice, bob, carol, dan, erin] = users as [TestUser, TestUser, TestUser, TestUser, TestUser]
    for (const { did } of [bob, carol, dan]) await alice.agent.follow(did)
    await bob.agent.follow(alice.did)
    // Behind the first page.
    await followAll(bob, others(130))
    await dan.agent.follow(bob.did)
    await erin.agent.follow(alice.did)

    const feedgen = await listen({ publisherDid: alice.did })
    await listening(feedgen, erin)
    const mutuals = async () => {
      const { body } = await look(feedgen, alice, 'mutuals')
      return body.feed.map(({ post }: { post: string }) => post)
    }
    const byBob = await bob.agent.post({ text: 'by somebody who follows back' })
    await carol.agent.post({ text: 'by somebody who follows nobody' })
    await dan.agent.post({ text: 'by somebody who follows another' })
    await eventually(async () => (await mutuals()).length > 0)
    const isRead = () =>
      rows(feedgen.file, 'select 1 from viewers where mutuals_read_at is not null').length === 1
    await eventually(isRead)
    expect(await mutuals()).toEqual([byBob.uri])
    const followers = () =>
      rows(
        feedgen.file,
        `select a.did as author, b.did as subject from follows join accounts a on a.id = author
         join accounts b on b.id = subject where a.did <> ?`,
        alice.did,
      )
    expect(followers()).toEqual([{ author: bob.did, subject: alice.did }])

    // From now on the firehose tells, also of whoever asks for the first time.
    const byCarol = await carol.agent.post({ text: 'by somebody who follows back from now on' })
    await carol.agent.follow(alice.did)
    await eventually(async () => (await mutuals()).length === 3)
    expect((await mutuals())[0]).toBe(byCarol.uri)
    const [own] = rows<{ rkey: string }>(
      feedgen.file,
      'select rkey from follows join accounts on accounts.id = author where did = ?',
      bob.did,
    )
    await bob.agent.deleteFollow(`at://${bob.did}/app.bsky.graph.follow/${own?.rkey}`)
    await eventually(async () => !(await mutuals()).includes(byBob.uri))
  })

  test('has nobody read who asks for other feeds only', async () => {
    const { users, listen } = await stage(['alice', 'bob'])
    const [alice, bob] = users as [TestUser, TestUser]
    await alice.agent.follow(bob.did)
    await bob.agent.follow(alice.did)
    const feedgen = await listen({ publisherDid: alice.did })
    await look(feedgen, alice)
    await eventually(
      () => rows(feedgen.file, 'select 1 from viewers where fetched_at is not null').length === 1,
    )
    await look(feedgen, alice, 'mutuals')
    await eventually(() => rows(feedgen.file, 'select 1 from follow_reads').length === 1)
    expect(edges(feedgen.file, 'follows')).toEqual([alice.did, bob.did].sort())
  })
})

test('a desynchronized repository is fetched again, and what it still holds is shown again', async () => {
  const { users, listen } = await stage(['alice', 'bob'])
  const [alice, bob] = users as [TestUser, TestUser]
  const folder = temporaryFolder()
  onTestFinished(() => folder[Symbol.dispose]())
  const file = `${folder.path}/index.sqlite`
  const first = await listen({ start: 'oldest', sqliteLocation: file })
  const shown = () =>
    rows<{ rkey: string }>(
      file,
      `select rkey from posts join accounts on accounts.id = author
       where did = ? and present = 1 and unsure = 0 order by rkey`,
      alice.did,
    ).map(({ rkey }) => rkey)
  const kept = await alice.agent.post({ text: 'kept' })
  const gone = await alice.agent.post({ text: 'gone' })
  const like = await alice.agent.like(kept.uri, kept.cid)
  await eventually(() => shown().length === 2 && rows(file, 'select 1 from likes').length === 1)
  await first[Symbol.asyncDispose]()

  // While nobody listens things happen, and from then on nobody knows where the reading stopped.
  await alice.agent.deletePost(gone.uri)
  await alice.agent.deleteLike(like.uri)
  const missed = await alice.agent.post({ text: 'missed' })
  const db = new Sqlite(file)
  db.exec('delete from cursors')
  db.close()
  const second = await listen({ sqliteLocation: file })
  await listening(second, bob)
  const last = await alice.agent.post({ text: 'last' })
  // It jumped, and was fetched.
  const isSettled = () => rows(file, 'select 1 from accounts where jumped = 1').length === 0
  await eventually(() => shown().length === 3 && isSettled() && second.counts.outcomes.jumped > 0)
  expect(shown()).toEqual([kept, missed, last].map(({ uri }) => uri.split('/').at(-1)).sort())
  expect(rows(file, 'select 1 from likes')).toEqual([])
})

test('a profile with !no-unauthenticated is fetched where no event brought it', async () => {
  const { users, listen } = await stage(['alice', 'bob', 'carol'])
  const [alice, bob, carol] = users as [TestUser, TestUser, TestUser]
  const labels = { $type: 'com.atproto.label.defs#selfLabels', values: [{ val: '!no-unauthenticated' }] }
  await alice.agent.com.atproto.repo.putRecord({
    repo: alice.did,
    collection: 'app.bsky.actor.profile',
    rkey: 'self',
    record: { $type: 'app.bsky.actor.profile', labels },
  })
  const feedgen = await listen({ publisherDid: bob.did })
  const feed = `at://${bob.did}/app.bsky.feed.generator/latest`
  const latest = async (headers = {}): Promise<string[]> =>
    (await feedgen.get(METHOD, { feed }, headers)).body.feed
      .map(({ post }: { post: string }) => post)
      .filter((uri: string) => !uri.includes(carol.did))
  await listening(feedgen, carol)
  const hidden = await alice.agent.post({ text: 'for those who are signed in' })
  const open = await bob.agent.post({ text: 'for all' })
  const profiles = () =>
    rows<{ did: string }>(
      feedgen.file,
      'select did, no_unauthenticated from profiles join accounts on id = account order by 2',
    ).filter(({ did }) => did !== carol.did)
  await eventually(() => profiles().length === 2)
  expect(profiles()).toEqual([
    { did: bob.did, no_unauthenticated: 0 },
    { did: alice.did, no_unauthenticated: 1 },
  ])
  expect(await latest()).toEqual([open.uri])
  expect(await latest(await tokenOf(bob))).toEqual([open.uri, hidden.uri])
  await alice.agent.com.atproto.repo.putRecord({
    repo: alice.did,
    collection: 'app.bsky.actor.profile',
    rkey: 'self',
    record: { $type: 'app.bsky.actor.profile' },
  })
  await eventually(async () => (await latest()).length === 2)
})

describe('what a viewer’s app reports', () => {
  const SEND = 'app.bsky.feed.sendInteractions'
  const event = (name: string) => `app.bsky.feed.defs#${name}`

  async function said() {
    const { users, listen } = await stage(['alice', 'bob'])
    const [alice, bob] = users as [TestUser, TestUser]
    const posts = [await bob.agent.post({ text: 'one' }), await bob.agent.post({ text: 'two' })]
    const feedgen = await listen({ publisherDid: bob.did, start: 'oldest' })
    await eventually(() => rows(feedgen.file, 'select 1 from posts where present = 1').length === 2)
    const send = async (body: object, headers: object) => {
      const response = await fetch(`${feedgen.url}/xrpc/${SEND}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      })
      return { status: response.status, body: await response.json() }
    }
    return { alice, posts, feedgen, send, feed: `at://${bob.did}/app.bsky.feed.generator/hot` }
  }

  test('is kept: what was seen, and what was said of it, each once', async () => {
    const { alice, posts, feedgen, send, feed } = await said()
    const [one, two] = [posts[0]!, posts[1]!]
    const interactions = [
      { item: one.uri, event: event('interactionSeen') },
      { item: one.uri, event: event('interactionSeen') },
      { item: two.uri, event: event('requestLess'), feedContext: 'c', reqId: 'r' },
      { item: two.uri, event: 'org.example.defs#whatever' },
      { item: `${two.uri}x`, event: event('requestLess') },
      { item: 'at://did:plc:abcdefghijklmnopqrstuvwx/app.bsky.feed.post/3k', event: event('requestLess') },
      { event: event('requestLess') },
    ]
    for (let i = 0; i < 2; i++) {
      const answer = await send({ feed, interactions }, await tokenOf(alice, SEND))
      expect(answer).toEqual({ status: 200, body: {} })
    }
    const rkeyOf = ({ uri }: { uri: string }) => uri.split('/').at(-1)
    expect(
      rows(
        feedgen.file,
        'select did, rkey from seen join accounts on accounts.id = viewer join posts on posts.id = post',
      ),
    ).toEqual([{ did: alice.did, rkey: rkeyOf(one) }])
    expect(
      rows(
        feedgen.file,
        'select rkey, event, feed, feed_context, req_id from interactions join posts on posts.id = post order by event',
      ),
    ).toEqual([
      { rkey: rkeyOf(two), event: event('requestLess'), feed, feed_context: 'c', req_id: 'r' },
      { rkey: rkeyOf(two), event: 'org.example.defs#whatever', feed, feed_context: null, req_id: null },
    ])
  })

  test('needs a token of its own', async () => {
    const { alice, send, feed } = await said()
    const interactions: object[] = []
    expect(await send({ feed, interactions }, {})).toMatchObject({
      status: 401,
      body: { error: 'AuthMissing' },
    })
    expect(await send({ feed, interactions }, await tokenOf(alice, METHOD))).toMatchObject({ status: 401 })
    const token = await tokenOf(alice, SEND)
    expect(await send({ feed: feed.replace('hot', 'cold'), interactions }, token)).toMatchObject({
      status: 400,
      body: { error: 'UnknownFeed' },
    })
    expect(await send({ feed, interactions }, token)).toMatchObject({
      status: 401,
      body: { error: 'JwtReplayed' },
    })
    const many = Array.from({ length: 501 }, () => ({}))
    expect(await send({ feed, interactions: many }, await tokenOf(alice, SEND))).toMatchObject({
      status: 400,
    })
    expect(await send({ interactions: 'x' }, await tokenOf(alice, SEND))).toMatchObject({ status: 400 })
  })
})

test('a feed of the viewer’s own begins with the cold-start feed, and obeys what the viewer wants less of', async () => {
  const { users, listen } = await stage(['alice', 'bob', 'carol'])
  const [alice, bob, carol] = users as [TestUser, TestUser, TestUser]
  await alice.agent.follow(bob.did)
  await alice.agent.follow(carol.did)
  const feedgen = await listen({ publisherDid: alice.did, start: 'oldest' })
  const stranger = await alice.agent.post({ text: 'of nobody whom alice follows' })
  const older = await bob.agent.post({ text: 'older' })
  const newer = await carol.agent.post({ text: 'newer' })
  const feed = `at://${alice.did}/app.bsky.feed.generator/mine`
  const put = (collection: string, record: object) =>
    alice.agent.com.atproto.repo.putRecord({
      repo: alice.did,
      collection,
      rkey: 'mine',
      record: { $type: collection, createdAt: new Date().toISOString(), ...record },
    })
  await put('app.bsky.feed.generator', { did: SERVICE_DID, displayName: 'Mine' })
  await put('social.atoll.feed.algorithm', {
    sources: [{ $type: 'social.atoll.feed.sources#viewerGraph', edge: 'follows', windowHours: 24 }],
    score: { order: 'newest' },
    viewer: { feedback: true, coldStart: { feed: `at://${alice.did}/app.bsky.feed.generator/latest` } },
  })
  await eventually(async () => (await feedgen.get(METHOD, { feed }, await tokenOf(bob))).status === 200)
  const shown = async (): Promise<string[]> => {
    const { body } = await feedgen.get(METHOD, { feed }, await tokenOf(alice))
    return body.feed.map(({ post }: { post: string }) => post)
  }

  expect(await shown()).toEqual([newer, older, stranger].map(({ uri }) => uri))
  await eventually(async () => (await shown()).length === 2)
  expect(await shown()).toEqual([newer.uri, older.uri])

  // Twice as far down for each request: the one behind is before it after two.
  const another = await carol.agent.post({ text: 'another' })
  await eventually(async () => (await shown())[0] === another.uri)
  const SEND = 'app.bsky.feed.sendInteractions'
  const interactions = [newer, another].map(({ uri }) => ({
    item: uri,
    event: 'app.bsky.feed.defs#requestLess',
  }))
  const response = await fetch(`${feedgen.url}/xrpc/${SEND}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(await tokenOf(alice, SEND)) },
    body: JSON.stringify({ feed, interactions }),
  })
  expect(response.status).toBe(200)
  await eventually(async () => (await shown())[0] === older.uri)
  expect(await shown()).toEqual([older.uri, another.uri, newer.uri])
})

test('a blocked list that cannot be fetched is logged, and fetched when the viewer is there', async () => {
  const folder = temporaryFolder()
  const index = await openIndex(`${folder.path}/index.sqlite`)
  const warn = vi.spyOn(logger('backfill'), 'warn')
  const [viewer, owner, member] = [randomPlcDid(), randomPlcDid(), randomPlcDid()]
  const list = `at://${owner}/app.bsky.graph.list/3kaaaaaaaaaaa`
  const recordOf = (collection: string, fields: object) => {
    const block = encode({ $type: collection, createdAt: '2026-01-01T00:00:00Z', ...fields })
    return { path: `${collection}/3kaaaaaaaaaaa`, cid: cidForCbor(block), block }
  }
  const records = new Map([
    [`${viewer} app.bsky.graph.listblock`, { subject: list }],
    [`${owner} app.bsky.graph.listitem`, { list, subject: member }],
  ])
  const { promise: up, resolve: comeUp } = Promise.withResolvers<void>()
  let isDown = true
  const backfill = new Backfill({
    serviceDid: SERVICE_DID,
    servers: {
      async page(did, collection) {
        if (did === owner && isDown) {
          isDown = false
          throw new ServerError('the server is down')
        }
        if (did === owner) await up
        const fields = records.get(`${did} ${collection}`)
        return { records: fields ? [recordOf(collection, fields)] : [], cursor: undefined }
      },
      async record(did, path) {
        if (did !== owner) return null
        const purpose = 'app.bsky.graph.defs#modlist'
        return { ...recordOf('app.bsky.graph.list', { name: 'them', purpose }), path }
      },
      repo: () => expect.unreachable(),
    },
    index: index.writer,
    pending: index.pending,
  })
  onTestFinished(async () => {
    warn.mockRestore()
    comeUp()
    await backfill[Symbol.asyncDispose]()
    await index[Symbol.asyncDispose]()
    folder[Symbol.dispose]()
  })
  await index.pending.viewerAsked(viewer)
  await eventually(async () => (await index.pending.viewerAsked(viewer)) && warn.mock.calls.length > 0)
  expect(warn.mock.calls).toMatchObject([
    [{ did: viewer, list, todo: expect.any(String) }, expect.stringContaining('list')],
  ])
  // That the firehose brings the list says nothing of its items.
  const row = { name: 'them', purpose: 'app.bsky.graph.defs#modlist' }
  await index.writer.apply([
    { kind: 'commit', did: owner, rev: '1', data: '1', changes: [{ table: 'lists', uri: list, row }] },
  ])
  expect(await index.pending.blockedLists(9)).toEqual([list])
  comeUp()
  const blocked = async () => {
    const found = await index.facts.accounts([viewer, member])
    const [by, of] = [found.get(viewer), found.get(member)]
    return by !== undefined && of !== undefined && (await index.facts.blocked(by, [of])).size === 1
  }
  await eventually(blocked)
  await eventually(async () => (await index.pending.blockedLists(9)).length === 0)
})

test('whole repositories are in memory one at a time, until each is written', async () => {
  const jumped = Array.from({ length: 5 }, (_, id) => ({ id, did: `did:plc:${id}` }))
  const written: string[] = []
  let atOnce = 0
  let atOnceMax = 0
  const tick = () => new Promise(setImmediate)
  const backfill = new Backfill({
    serviceDid: SERVICE_DID,
    servers: {
      page: () => expect.unreachable(),
      record: () => expect.unreachable(),
      async repo() {
        atOnceMax = Math.max(atOnceMax, ++atOnce)
        await tick()
        return { rev: '3kaaaaaaaaaaa', data: '', records: [] }
      },
    },
    index: {
      rev: async () => null,
      apply: async () => ['applied'],
      async clean({ did }) {
        await tick()
        atOnce--
        written.push(did)
        return 'applied'
      },
    },
    pending: {
      viewers: async () => [],
      viewerAsked: async () => true,
      viewerFetched: async () => undefined,
      blockedLists: async () => [],
      listRead: async () => undefined,
      jumped: async () => jumped.filter(({ did }) => !written.includes(did)),
      authorsWithoutProfile: async () => [],
      mutualsWanted: async () => [],
      mutualsRead: async () => undefined,
      followsUnread: async () => [],
      viewersAmong: async () => new Set(),
      followsTried: async () => undefined,
    },
  })
  onTestFinished(() => backfill[Symbol.asyncDispose]())
  await eventually(() => written.length === jumped.length)
  expect(atOnceMax).toBe(1)
})

/**
 * A backfill over an index in a file, from servers that are told what to answer; with a clock that
 * is turned by hand.
 */
async function stageAlone(
  servers: Partial<BackfillOptions['servers']>,
  options: Pick<BackfillOptions, 'appview'> = {},
) {
  const folder = temporaryFolder()
  const file = `${folder.path}/index.sqlite`
  const index = await openIndex(file)
  let hours = 0
  const { now } = Date
  const clock = vi.spyOn(Date, 'now').mockImplementation(() => now() + hours * 3_600_000)
  const unreachable = () => expect.unreachable()
  const backfill = new Backfill({
    serviceDid: SERVICE_DID,
    servers: { page: unreachable, record: unreachable, repo: unreachable, ...servers },
    index: index.writer,
    pending: index.pending,
    ...options,
  })
  onTestFinished(async () => {
    clock.mockRestore()
    await backfill[Symbol.asyncDispose]()
    await index[Symbol.asyncDispose]()
    folder[Symbol.dispose]()
  })
  const pass = (more: number) => {
    hours += more
    backfill.wake()
  }
  /** Lets hours pass, each with time to work, until something is so. */
  const passUntil = async (isSo: () => boolean) => {
    for (let passed = 0; !isSo(); passed++) {
      expect(passed).toBeLessThan(100)
      pass(1)
      await sleep(50)
    }
  }
  return { file, index, backfill, pass, passUntil }
}

test('a profile that cannot be had now is not one that asks for nothing', async () => {
  const [down, without, gone] = [randomPlcDid(), randomPlcDid(), randomPlcDid()]
  const failures = new Map([
    [down, () => new ServerError('down', { status: 503 })],
    [without, () => new ServerError('no such record', { status: 400 })],
    [gone, () => new NotThereError('RepoNotFound')],
  ])
  const labels = { $type: 'com.atproto.label.defs#selfLabels', values: [{ val: '!no-unauthenticated' }] }
  const block = encode({ $type: 'app.bsky.actor.profile', labels })
  const tried: string[] = []
  const { file, index, passUntil } = await stageAlone({
    async record(did, path) {
      tried.push(did)
      const failure = failures.get(did)
      if (failure) throw failure()
      return { path, cid: cidForCbor(block), block }
    },
  })
  const row = { sort_at: 1, seen_at: 1, reply_root: null, reply_parent: null, quote: null, record: block }
  await index.writer.apply(
    [down, without, gone].map((did) => ({
      kind: 'commit',
      did,
      rev: '1',
      changes: [{ table: 'posts', uri: `at://${did}/app.bsky.feed.post/3k`, row }],
    })),
  )
  const profiles = () =>
    rows<{ did: string; no_unauthenticated: number }>(
      file,
      'select did, no_unauthenticated from profiles join accounts on id = account',
    )
  const nothing = [without, gone].map((did) => ({ did, no_unauthenticated: 0 }))
  await eventually(() => profiles().length === 2 && tried.filter((did) => did === down).length === 3)
  expect(profiles()).toEqual(expect.arrayContaining(nothing))
  failures.delete(down)
  await passUntil(() => profiles().length === 3)
  expect(profiles()).toContainEqual({ did: down, no_unauthenticated: 1 })
})

test('what definitions speak of and could not be fetched is tried again without a change to them', async () => {
  const followed = randomPlcDid()
  let isUp = false
  let asked = 0
  const { backfill, file, passUntil } = await stageAlone({
    async page(did, collection) {
      asked++
      if (!isUp) throw new ServerError('down')
      const block = encode({ $type: collection, createdAt: '2026-01-01T00:00:00Z', subject: did })
      return { records: [{ path: `${collection}/3k`, cid: cidForCbor(block), block }], cursor: undefined }
    },
  })
  backfill.want([
    {
      sources: [{ kind: 'graph', of: followed, edge: 'follows', windowHours: 24 }],
      createdAt: '2026-01-01T00:00:00Z',
    },
  ])
  await eventually(() => asked === 3)
  isUp = true
  await passUntil(() => rows(file, 'select 1 from follows').length === 1)
  expect(asked).toBe(4)
})

test('a repository that can never be had is asked for less and less', async () => {
  const did = randomPlcDid()
  let asked = 0
  const { index, pass } = await stageAlone({
    async repo() {
      asked++
      throw new NotThereError('too large')
    },
  })
  const event = { kind: 'commit', did, data: 'x', changes: [] } as const
  await index.writer.apply([
    { ...event, rev: '1', changes: [] },
    { ...event, rev: '3', since: '2', changes: [] },
  ])
  pass(0)
  await eventually(() => asked === 1)
  // Twelve looks in twelve hours.
  for (let looks = 0; looks < 12; looks++) {
    const before = asked
    pass(1)
    await eventually(async () => (await index.pending.jumped(9, 0)).length === 1)
    await sleep(20)
    expect(asked - before).toBeLessThanOrEqual(1)
  }
  expect(asked).toBeLessThan(8)
  expect(asked).toBeGreaterThan(2)
})

describe('definitions with the mutuals of a fixed account', () => {
  const mutualsOf = (of: string): Definition => ({
    sources: [{ kind: 'graph', of, edge: 'mutuals', windowHours: 24 }],
    createdAt: '2026-01-01T00:00:00Z',
  })

  test('have those whose follows no stream brought, and only what is needed is kept', async () => {
    const [fixed, back, not, stranger] = [randomPlcDid(), randomPlcDid(), randomPlcDid(), randomPlcDid()]
    const follows = new Map([
      [fixed, [back, not]],
      [back, [stranger, fixed]],
      [not, [stranger]],
    ])
    const read: string[] = []
    const { file, index, backfill } = await stageAlone({
      async page(did, collection) {
        if (collection !== 'app.bsky.graph.follow') return { records: [], cursor: undefined }
        read.push(did)
        const records = (follows.get(did) ?? []).map((subject, i) => {
          const block = encode({ $type: collection, createdAt: '2026-01-01T00:00:00Z', subject })
          return { path: `${collection}/3k${i}`, cid: cidForCbor(block), block }
        })
        return { records, cursor: undefined }
      },
    })
    backfill.want([mutualsOf(fixed)])
    const mutuals = async () => {
      const known = await index.facts.accounts([fixed])
      const account = known.get(fixed)
      const found = account === undefined ? [] : await index.facts.graph(account, 'mutuals', { limit: 9 })
      return [...(await index.facts.dids(found)).values()]
    }
    await eventually(async () => (await mutuals()).length > 0 && read.length === 3)
    expect(await mutuals()).toEqual([back])
    expect(edges(file, 'follows').sort()).toEqual([back, not, fixed].sort())
    // Once it is known, nobody is read again for the same.
    await eventually(async () => (await index.pending.mutualsWanted(9, 0)).length === 0)
    backfill.want([mutualsOf(fixed)])
    backfill.wake()
    await sleep(50)
    expect(read.sort()).toEqual([fixed, back, not].sort())
  })

  test('are looked up for so many accounts and no more, which is in the log', async () => {
    const warn = vi.spyOn(logger('backfill'), 'warn')
    const { backfill, file } = await stageAlone({ page: async () => ({ records: [], cursor: undefined }) })
    backfill.want(Array.from({ length: MUTUALS_OF_MAX + 5 }, () => mutualsOf(randomPlcDid())))
    const viewers = () => rows(file, 'select 1 from viewers').length
    await eventually(() => viewers() === MUTUALS_OF_MAX)
    expect(warn.mock.calls).toEqual([
      [expect.objectContaining({ limit: MUTUALS_OF_MAX, todo: expect.any(String) }), expect.any(String)],
    ])
    warn.mockRestore()
  })
})

test('definitions with the followers of a fixed account have those that an AppView knows', async () => {
  const [of, follower] = [randomPlcDid(), randomPlcDid()]
  const followedBy = `at://${follower}/app.bsky.graph.follow/3k`
  const fetch = async () =>
    Response.json({ followers: [{ did: follower }], relationships: [{ did: follower, followedBy }] })
  const { backfill, file } = await stageAlone({}, { appview: { url: 'https://appview.test', fetch } })
  const source = { kind: 'graph', of, edge: 'followers', windowHours: 24 } as const
  backfill.want([{ sources: [source], createdAt: '2026-01-01T00:00:00Z' }])
  await eventually(() => edges(file, 'follows').length === 1)
  expect(edges(file, 'follows')).toEqual([of])
})
