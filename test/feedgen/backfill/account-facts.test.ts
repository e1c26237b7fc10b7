/**
 * A feed generator beside an AppView: what a definition asks of authors' accounts is read there,
 * and nothing that none asks.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Definition, Filter, Source } from '../../../feedgen/algorithm/definition.ts'
import { writeDefinition } from '../../../feedgen/algorithm/read.ts'
import { type AppViewStandIn, startAppView } from '../../support/app-view.ts'
import { Author } from '../../support/author.ts'
import { type Directory, startDirectory } from '../../support/directory.ts'
import { type Relay, startRelay } from '../../support/relay.ts'
import { eventually, SERVICE_DID, startFeedgen, type TestFeedgen } from '../support.ts'

const ALGORITHM = 'social.atoll.feed.algorithm'
const GENERATOR = 'app.bsky.feed.generator'
const GET_PROFILES = 'app.bsky.actor.getProfiles'

let directory: Directory
let relay: Relay
let appView: AppViewStandIn
let feedgen: TestFeedgen
const [creator, small, famous, silent] = Array.from({ length: 4 }, () => new Author()) as [
  Author,
  Author,
  Author,
  Author,
]
/** What the AppView knows. */
const followers = new Map<string, number>()

beforeAll(async () => {
  directory = await startDirectory()
  relay = await startRelay()
  appView = await startAppView()
  for (const author of [creator, small, famous, silent]) author.register(directory)
  appView.answers.set(GET_PROFILES, ({ path }, response) => {
    const actors = new URL(path, appView.url).searchParams.getAll('actors')
    const profiles = actors.flatMap((did) => {
      const followersCount = followers.get(did)
      return followersCount === undefined
        ? []
        : [{ did, handle: 'a.test', followersCount, createdAt: '2024-01-01T00:00:00Z' }]
    })
    response.end(JSON.stringify({ profiles }))
  })
  feedgen = await startFeedgen({
    endpoints: [relay.url],
    plcUrl: directory.url,
    serviceDid: SERVICE_DID,
    publishers: { dids: [creator.did], hosts: [] },
    // As good as at once.
    appview: { url: appView.url, refreshHours: 1 / 3600 },
    // A private address is for the operator alone to name.
    devMode: false,
  })
})

afterAll(async () => {
  await feedgen?.[Symbol.asyncDispose]()
  await appView?.[Symbol.asyncDispose]()
  await relay?.[Symbol.asyncDispose]()
  await directory?.[Symbol.asyncDispose]()
})

const definitionOf = (where: Filter, source: Source = { kind: 'network', windowHours: 24 }) =>
  writeDefinition({ sources: [source], where, createdAt: '2026-11-01T00:00:00Z' } as Definition)

async function publish(rkey: string, where: Filter, source?: Source): Promise<string> {
  const feed = { did: SERVICE_DID, displayName: rkey, createdAt: new Date().toISOString() }
  const writes = {
    [`${ALGORITHM}/${rkey}`]: definitionOf(where, source),
    [`${GENERATOR}/${rkey}`]: feed,
  }
  await feedgen.reached(relay.url, relay.emit(creator.commit(writes)))
  const uri = creator.uri(`${GENERATOR}/${rkey}`)
  await eventually(async () => (await shown(uri)) !== undefined)
  return uri
}

async function post(author: Author, text: string): Promise<string> {
  const { uri, event } = author.post(text)
  await feedgen.reached(relay.url, relay.emit(event))
  return uri
}

async function shown(feed: string): Promise<string[] | undefined> {
  const { status, body } = await feedgen.get('app.bsky.feed.getFeedSkeleton', { feed })
  return status === 200 ? body.feed.map((item: { post: string }) => item.post) : undefined
}

async function preview(where: Filter) {
  const response = await fetch(`${feedgen.url}/xrpc/social.atoll.feed.preview`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ definition: definitionOf(where) }),
  })
  const { feed, warnings } = (await response.json()) as {
    feed: { post: string }[]
    warnings: { says: string }[]
  }
  return { posts: feed.map(({ post }) => post), warnings: warnings.map(({ says }) => says) }
}

const asked = () =>
  new Set(appView.received.flatMap(({ path }) => new URL(path, appView.url).searchParams.getAll('actors')))
const about = (word: string, account: Filter): Filter => ({
  kind: 'all',
  of: [{ kind: 'text', words: [word] }, account],
})
const atLeast = (followersMin: number): Filter => ({ kind: 'account', followersMin })

test('accounts are read when a definition asks about them, and only those', async () => {
  followers.set(small.did, 3).set(famous.did, 1000)
  const plain = await publish('plain', { kind: 'text', words: ['cats'] })
  const cats = [await post(small, 'cats'), await post(famous, 'more cats'), await post(silent, 'no cats')]
  await eventually(async () => (await shown(plain))?.length === 3)
  await post(creator, 'dogs')
  expect(appView.received).toEqual([])

  // With the past.
  const feed = await publish('asking', about('cats', atLeast(100)))
  const contrary = await publish('contrary', about('cats', { kind: 'not', of: atLeast(100) }))
  await eventually(async () => (await shown(feed))?.[0] === cats[1])
  await eventually(async () => (await shown(contrary))?.[0] === cats[0])
  // What the AppView does not know is in neither.
  expect(await shown(feed)).toEqual([cats[1]])
  expect(await shown(contrary)).toEqual([cats[0]])
  expect(asked()).toEqual(new Set([small.did, famous.did, silent.did]))

  // Followers come, and the same post is there at a later making.
  followers.set(small.did, 100)
  await eventually(async () => (await shown(feed))?.length === 2)
  expect(await shown(feed)).toEqual([cats[1], cats[0]])
  await eventually(async () => (await shown(contrary))?.length === 0)
})

test('account facts of an author are fetched when the post is indexed, before a page needs them', async () => {
  await publish('ahead', about('birds', atLeast(1)))
  const newcomer = new Author().register(directory)
  await post(newcomer, 'birds')
  await eventually(() => asked().has(newcomer.did))
})

test('sources that take nothing in are asked about as their lists are made', async () => {
  const member = new Author().register(directory)
  followers.set(member.did, 5)
  const actors: Source = { kind: 'actors', dids: [member.did], windowHours: 24 }
  const feed = await publish('members', atLeast(5), actors)
  const one = await post(member, 'whatever')
  await eventually(async () => (await shown(feed))?.[0] === one)
})

test('a preview says that it is still asking, and is whole a moment later', async () => {
  const somebody = new Author().register(directory)
  followers.set(somebody.did, 50)
  const one = await post(somebody, 'turtles')
  const where = about('turtles', atLeast(50))
  expect(await preview(where)).toEqual({
    posts: [],
    warnings: [expect.stringMatching(/still asked about \(1\)/)],
  })
  await eventually(async () => (await preview(where)).posts[0] === one)
})
