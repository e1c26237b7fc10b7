/**
 * The whole line: from the official client through a PDS and its firehose to a page of a feed, with
 * our PDS and with the reference in its place.
 */
import { AtpAgent } from '@atproto/api'
import { describe, expect, test } from 'vitest'
import { builtInFeeds } from '../../feedgen/feeds/built-in.ts'
import { publishBuiltIn, unpublishBuiltIn } from '../../scripts/atoll/feed/built-in.ts'
import { eventually, SERVICE_DID, startFeedgen, type TestFeedgen } from '../feedgen/support.ts'
import { createUser, startPds, type TestUser } from '../support/pds.ts'
import { startPlc } from '../support/plc.ts'
import { startReferencePds } from '../support/reference-pds.ts'

const METHOD = 'app.bsky.feed.getFeedSkeleton'

const servers = [
  { name: 'Atoll', start: (plcUrl: string) => startPds({ plcUrl }) },
  { name: '@atproto/pds', start: (plcUrl: string) => startReferencePds(plcUrl) },
]

/** A page of a feed as the user's PDS asks for it in the user's name. */
async function read(feedgen: TestFeedgen, feed: string, { agent }: TestUser) {
  const { data } = await agent.com.atproto.server.getServiceAuth({ aud: SERVICE_DID, lxm: METHOD })
  const { status, body } = await feedgen.get(METHOD, { feed }, { authorization: `Bearer ${data.token}` })
  expect(status).toBe(200)
  return body.feed as { post: string; reason?: { $type: string; repost: string } }[]
}

describe.for(servers)('from a post on $name to a feed', ({ start }) => {
  test('feeds are published, switched between, and taken back', async () => {
    await using plc = await startPlc()
    await using pds = await start(plc.url)
    const endpoint = `${pds.url.replace('http', 'ws')}/xrpc/com.atproto.sync.subscribeRepos`
    await using feedgen = await startFeedgen({
      endpoints: [endpoint],
      plcUrl: plc.url,
      serviceDid: SERVICE_DID,
    })
    const [alice, bob, carol] = [
      await createUser(pds, 'alice'),
      await createUser(pds, 'bob'),
      await createUser(pds, 'carol'),
    ]

    const published = await publishBuiltIn(carol.agent, SERVICE_DID)
    const nameOf = (uri: string) => uri.slice(uri.lastIndexOf('/') + 1)
    expect(published.map(({ uri, outcome }) => [nameOf(uri), outcome])).toEqual(
      builtInFeeds.map(({ rkey }) => [rkey, 'created']),
    )
    const again = await publishBuiltIn(carol.agent, SERVICE_DID)
    expect(again.every(({ outcome }) => outcome === 'unchanged')).toBe(true)
    const uris = Object.fromEntries(published.map(({ uri }) => [nameOf(uri), uri]))

    await alice.agent.follow(bob.did)
    const byCarol = await carol.agent.post({ text: 'by carol' })
    const byBob = await bob.agent.post({ text: 'by bob' })
    await bob.agent.like(byCarol.uri, byCarol.cid)
    await alice.agent.like(byCarol.uri, byCarol.cid)
    const shared = await bob.agent.repost(byCarol.uri, byCarol.cid)
    const last = await carol.agent.post({ text: 'the last word' })
    const latest = async () => (await feedgen.get(METHOD, { feed: uris.latest! })).body.feed?.[0]?.post
    await eventually(async () => (await latest()) === last.uri)

    expect(await read(feedgen, uris.latest!, alice)).toEqual(
      [last, byBob, byCarol].map(({ uri }) => ({ post: uri })),
    )
    expect((await read(feedgen, uris.hot!, alice))[0]).toEqual({ post: byCarol.uri })
    const repost = { $type: 'app.bsky.feed.defs#skeletonReasonRepost', repost: shared.uri }
    expect(await read(feedgen, uris.following!, alice)).toEqual([
      { post: byCarol.uri, reason: repost },
      { post: byBob.uri },
    ])
    expect(await read(feedgen, uris.mutuals!, alice)).toEqual([])
    await bob.agent.follow(alice.did)
    await eventually(async () => (await read(feedgen, uris.mutuals!, alice)).length === 2)

    await carol.agent.deletePost(last.uri)
    await eventually(async () => (await latest()) === byBob.uri)
    expect(feedgen.counts.faults.size).toBe(0)
    await expect.poll(() => feedgen.counts.outcomes.jumped).toBe(0)

    const taken = await unpublishBuiltIn(carol.agent, SERVICE_DID)
    expect(taken.every(({ outcome }) => outcome === 'removed')).toBe(true)
    const nothing = await unpublishBuiltIn(carol.agent, SERVICE_DID)
    expect(nothing.every(({ outcome }) => outcome === 'absent')).toBe(true)
    await eventually(async () => (await feedgen.get(METHOD, { feed: uris.latest! })).status === 400)
  })
})

test('publishing again keeps what a record has besides, and takes back no other service’s', async () => {
  await using plc = await startPlc()
  await using pds = await startPds({ plcUrl: plc.url })
  const { agent, did } = await createUser(pds, 'alice')
  await publishBuiltIn(agent, 'did:web:old.test', ['hot'])
  const record = async () => {
    const { data } = await new AtpAgent({ service: pds.url }).com.atproto.repo.getRecord({
      repo: did,
      collection: 'app.bsky.feed.generator',
      rkey: 'hot',
    })
    return data.value
  }
  const own = { ...(await record()), acceptsInteractions: true, createdAt: '2020-01-01T00:00:00.000Z' }
  await agent.com.atproto.repo.putRecord({
    repo: did,
    collection: 'app.bsky.feed.generator',
    rkey: 'hot',
    record: own,
  })
  expect(await publishBuiltIn(agent, 'did:web:new.test', ['hot'])).toMatchObject([{ outcome: 'updated' }])
  expect(await record()).toEqual({ ...own, did: 'did:web:new.test' })
  expect(await unpublishBuiltIn(agent, 'did:web:old.test', ['hot'])).toMatchObject([{ outcome: 'unchanged' }])
  expect(await record()).toMatchObject({ did: 'did:web:new.test' })
})

test('a public feed generator takes the directory and the server that its operator names, on this machine too', async () => {
  await using plc = await startPlc()
  await using pds = await startPds({ plcUrl: plc.url })
  const alice = await createUser(pds, 'alice')
  const early = await alice.agent.post({ text: 'before' })
  const endpoint = `${pds.url.replace('http', 'ws')}/xrpc/com.atproto.sync.subscribeRepos`
  await using feedgen = await startFeedgen({
    endpoints: [endpoint],
    plcUrl: plc.url,
    serviceDid: SERVICE_DID,
    devMode: false,
  })
  await publishBuiltIn(alice.agent, SERVICE_DID)
  const feed = `at://${alice.did}/app.bsky.feed.generator/latest`
  await eventually(async () => (await feedgen.get(METHOD, { feed })).body.feed?.[0]?.post === early.uri)
})
