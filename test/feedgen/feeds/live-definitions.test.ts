/** Definitions as they live: seen on the firehose, served, changed, refused, asked about. */

import { Secp256k1Keypair } from '@atproto/crypto'
import { createServiceJwt } from '@atproto/xrpc-server'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Definition, Source } from '../../../feedgen/algorithm/definition.ts'
import { writeDefinition } from '../../../feedgen/algorithm/read.ts'
import { Author } from '../../support/author.ts'
import { type Directory, startDirectory } from '../../support/directory.ts'
import { type Relay, startRelay } from '../../support/relay.ts'
import { type Answer, eventually, SERVICE_DID, startFeedgen, type TestFeedgen } from '../support.ts'

const ALGORITHM = 'social.atoll.feed.algorithm'
const GENERATOR = 'app.bsky.feed.generator'
/** The promise of how fast a change shows. */
const liveMsMax = 2000

let directory: Directory
let relay: Relay
let feedgen: TestFeedgen
let serial = 0
const creator = new Author()
const writer = new Author()
const stranger = new Author()
const costly = new Author()

beforeAll(async () => {
  directory = await startDirectory()
  relay = await startRelay()
  for (const author of [creator, writer, stranger, costly]) author.register(directory)
  feedgen = await startFeedgen({
    endpoints: [relay.url],
    plcUrl: directory.url,
    serviceDid: SERVICE_DID,
    publishers: { dids: [creator.did], hosts: [] },
    definitionCostMax: 500,
  })
})

afterAll(async () => {
  await feedgen?.[Symbol.asyncDispose]()
  await relay?.[Symbol.asyncDispose]()
  await directory?.[Symbol.asyncDispose]()
})

const network: Source = { kind: 'network', windowHours: 24 }
const about = (word: string): Partial<Definition> => ({
  where: { kind: 'text', words: [word] },
  score: { order: 'newest' },
})

function recordOf(parts: Partial<Definition>): Record<string, unknown> {
  return writeDefinition({ sources: [network], createdAt: '2026-11-01T00:00:00Z', ...parts } as Definition)
}

/** Writes a definition and the feed record beside it; the feed's URI. */
function publish(rkey: string, record: Record<string, unknown>, author = creator): string {
  relay.emit(
    author.commit({
      [`${ALGORITHM}/${rkey}`]: record,
      [`${GENERATOR}/${rkey}`]: {
        did: SERVICE_DID,
        displayName: rkey,
        createdAt: new Date().toISOString(),
      },
    }),
  )
  return author.uri(`${GENERATOR}/${rkey}`)
}

async function post(text: string, more = {}): Promise<string> {
  const { uri, event } = writer.post(text, more)
  await feedgen.reached(relay.url, relay.emit(event))
  return uri
}

const get = (feed: string, params: Record<string, string> = {}) =>
  feedgen.get('app.bsky.feed.getFeedSkeleton', { feed, ...params })

async function shown(feed: string): Promise<string[] | undefined> {
  const { status, body } = await get(feed)
  return status === 200 ? body.feed.map((item: { post: string }) => item.post) : undefined
}

async function ask(method: string, body: object, headers = {}): Promise<Answer> {
  const response = await fetch(`${feedgen.url}/xrpc/social.atoll.feed.${method}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  return { status: response.status, body: await response.json() }
}

/** Waits for what is promised to be so soon, and says how long it took. */
async function soon(isSo: () => Promise<boolean>): Promise<void> {
  const start = performance.now()
  await eventually(isSo)
  expect(performance.now() - start).toBeLessThan(liveMsMax)
}

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)

let word: string
let feed: string
beforeEach(() => {
  word = `word${++serial}`
  feed = `feed${serial}`
})

describe('a definition', () => {
  test('is served as soon as it is published, with the past and with what comes', async () => {
    const before = await post(`once ${word}`)
    await post('something else')
    const uri = publish(feed, recordOf(about(word)))
    await soon(async () => same(await shown(uri), [before]))
    const after = await post(`again ${word}`)
    await soon(async () => same(await shown(uri), [after, before]))
  })

  test('shows what it says once it says something else, and nothing once it is gone', async () => {
    const one = await post(`${word} one`)
    const other = await post('other'.concat(word))
    const uri = publish(feed, recordOf(about(word)))
    await soon(async () => same(await shown(uri), [one]))
    publish(feed, recordOf(about('other'.concat(word))))
    await soon(async () => same(await shown(uri), [other]))
    relay.emit(creator.commit({ [`${ALGORITHM}/${feed}`]: null }))
    await soon(async () => (await shown(uri)) === undefined)
    expect(await get(uri)).toMatchObject({ status: 400, body: { error: 'UnknownFeed' } })
  })

  test('is not served without a feed record that names this service', async () => {
    relay.emit(
      creator.commit({
        [`${ALGORITHM}/${feed}`]: recordOf(about(word)),
        [`${GENERATOR}/${feed}`]: { did: 'did:web:other.test', displayName: 'x', createdAt: 'now' },
      }),
    )
    const uri = creator.uri(`${GENERATOR}/${feed}`)
    await eventually(
      async () => (await feedgen.get('social.atoll.feed.getAlgorithm', { feed: uri })).status === 200,
    )
    expect(await shown(uri)).toBeUndefined()
  })

  test('does not show posts that were deleted, updated away, or whose author is gone', async () => {
    const author = new Author().register(directory)
    const { uri: kept, event } = author.post(word)
    relay.emit(event)
    const { uri: gone, event: other } = author.post(word)
    relay.emit(other)
    const uri = publish(feed, recordOf(about(word)))
    await soon(async () => same((await shown(uri))?.sort(), [kept, gone].sort()))
    relay.emit(author.commit({ [gone.split('/').slice(3).join('/')]: null }))
    await soon(async () => same(await shown(uri), [kept]))
    relay.emit({ kind: 'account', did: author.did, active: false, status: 'takendown', time: '' })
    await soon(async () => same(await shown(uri), []))
  })

  test('is paged exactly, each post once, whatever comes in meanwhile', async () => {
    const posts: string[] = []
    for (let i = 0; i < 25; i++) posts.unshift(await post(`${word} ${i}`))
    const uri = publish(feed, recordOf(about(word)))
    await soon(async () => (await shown(uri))?.length === 25)
    const paged: string[] = []
    let cursor: string | undefined
    do {
      const { body } = await get(uri, { limit: '10', ...(cursor ? { cursor } : {}) })
      expect(body.feed).toHaveLength(cursor && paged.length >= 20 ? 5 : 10)
      paged.push(...body.feed.map((item: { post: string }) => item.post))
      cursor = body.cursor
      await post(`${word} meanwhile`)
    } while (cursor)
    expect(paged).toEqual(posts)
    for (const made of ['x', 'W10', 'WzEsMiwzXQ', 'WzEsLTUsM10', 'cold.x', 'WzEsMSwxZTk5OV0']) {
      expect([200, 400]).toContain((await get(uri, { cursor: made })).status)
    }
    expect(await get(uri, { cursor: 'x' })).toMatchObject({
      status: 400,
      body: { error: 'InvalidRequest' },
    })
  })

  test('has its pin at the top, by hand or not at all what it says by hand', async () => {
    const pin = await post('pinned')
    const removed = await post(`${word} removed`)
    const one = await post(`${word} one`)
    const uri = publish(feed, recordOf({ ...about(word), place: { pin, manualRemove: [removed] } }))
    await soon(async () => same(await shown(uri), [pin, one]))
    expect((await get(uri)).body.feed[0].reason).toEqual({
      $type: 'app.bsky.feed.defs#skeletonReasonPin',
    })
  })
})

describe('a definition is refused, and it is said why, when', () => {
  const refusal = async (uri: string) => {
    const { body } = await feedgen.get('social.atoll.feed.getAlgorithm', { feed: uri })
    return body
  }

  test('its creator may not publish here', async () => {
    const uri = publish(feed, recordOf(about(word)), stranger)
    await eventually(async () => (await refusal(uri)).refusal !== undefined)
    expect(await refusal(uri)).toMatchObject({
      served: false,
      refusal: { path: '', reason: expect.stringMatching(/not served here/) },
    })
    expect(await shown(uri)).toBeUndefined()
  })

  test('it is not known whole', async () => {
    const uri = publish(feed, { ...recordOf(about(word)), mood: 'good' })
    await eventually(async () => (await refusal(uri)).refusal !== undefined)
    expect(await refusal(uri)).toMatchObject({ served: false, refusal: { path: 'mood' } })
    expect(await shown(uri)).toBeUndefined()
  })

  test('it costs too much', async () => {
    const regex = (i: number) => ({ kind: 'text' as const, regex: `a${i}` })
    const many = Array.from({ length: 20 }, (_, i) => regex(i))
    const uri = publish(feed, recordOf({ where: { kind: 'any', of: many } }))
    await eventually(async () => (await refusal(uri)).refusal !== undefined)
    expect((await refusal(uri)).refusal.reason).toMatch(
      /costs \d+ points, and 500 are allowed; the dearest parts: where\/of/,
    )
  })
})

describe('readers may ask', () => {
  test('what a definition would show, with counts, times and reasons', async () => {
    const one = await post(`${word} here`)
    await post(`${word} not`, { langs: ['de'] })
    const definition = recordOf({
      where: {
        kind: 'all',
        of: [
          { kind: 'text', words: [word] },
          { kind: 'not', of: { kind: 'lang', any: ['de'] } },
        ],
      },
      score: { order: 'score', terms: [{ kind: 'prior', of: 'all', weightMilli: 2500 }] },
    })
    const { status, body } = await ask('preview', { definition })
    expect(status).toBe(200)
    expect(body.feed).toEqual([
      {
        post: one,
        scoreMilli: 2500,
        why: [
          { path: 'sources/0', says: 'brought the post' },
          { path: 'where', says: 'yes' },
          { path: 'where/of/0', says: 'yes' },
          { path: 'where/of/1', says: 'yes' },
          { path: 'where/of/1/of', says: 'no' },
          { path: 'score/terms/0', says: 'prior', pointsMilli: 2500 },
        ],
      },
    ])
    expect(body.stages.map(({ name }: { name: string }) => name)).toEqual([
      'sources',
      'where',
      'score',
      'arrange',
      'viewer',
      'place',
    ])
    expect(body.stages.at(-1).out).toBe(1)
    expect(body.cost).toBeGreaterThan(0)
  })

  test('why a post is in a feed, or is not', async () => {
    const there = await post(`${word} here`)
    const not = await post('without it')
    const uri = publish(feed, recordOf(about(word)))
    await soon(async () => same(await shown(uri), [there]))
    const explain = async (post: string) =>
      (await feedgen.get('social.atoll.feed.explain', { feed: uri, post })).body
    expect(await explain(there)).toMatchObject({
      present: true,
      place: 1,
      why: [
        { path: 'sources/0', says: 'brought the post' },
        { path: 'where', says: 'yes' },
      ],
    })
    expect(await explain(not)).toMatchObject({
      present: false,
      lostAt: 'where',
      why: [{ path: 'sources/0' }, { path: 'where', says: 'no' }],
    })
    expect(await explain('at://did:plc:nobody/app.bsky.feed.post/x')).toMatchObject({
      present: false,
      lostAt: 'index',
    })
  })

  test('what it would have had', async () => {
    for (let i = 0; i < 3; i++) await post(word)
    const hoursAgo = (hours: number) => new Date(Date.now() - hours * 3_600_000).toISOString()
    await post(word, { createdAt: hoursAgo(5) })
    await post(word, { createdAt: hoursAgo(30) })
    const { status, body } = await ask('backtest', {
      definition: recordOf({ ...about(word), sources: [{ kind: 'network', windowHours: 1 }] }),
    })
    expect(status).toBe(200)
    expect(body).toMatchObject({ posts: 4, complete: true })
    expect(body.hours).toHaveLength(24)
    expect(body.hours.at(-1).posts).toBe(3)
    expect(body.hours.reduce((sum: number, { posts }: { posts: number }) => sum + posts, 0)).toBe(4)
  })

  test('for which definitions there are', async () => {
    const uri = publish(feed, recordOf(about(word)))
    await eventually(async () => (await shown(uri)) !== undefined)
    const all: { feed: string; definition: unknown }[] = []
    let cursor: string | undefined
    do {
      const { body } = await feedgen.get('social.atoll.feed.listAlgorithms', {
        creator: creator.did,
        limit: '2',
        ...(cursor ? { cursor } : {}),
      })
      all.push(...body.algorithms)
      cursor = body.cursor
    } while (cursor)
    expect(all.find((view) => view.feed === uri)).toMatchObject({
      served: true,
      definition: recordOf(about(word)),
    })
    expect(new Set(all.map((view) => view.feed)).size).toBe(all.length)
  })

  test('only what can be answered', async () => {
    const { status, body } = await ask('preview', { definition: { ...recordOf({}), mood: 1 } })
    expect([status, body.error]).toEqual([400, 'InvalidDefinition'])
    expect(body.message).toMatch(/^mood: /)
    const explained = await feedgen.get('social.atoll.feed.explain', {
      feed: creator.uri(`${GENERATOR}/none`),
      post: 'at://did:plc:nobody/app.bsky.feed.post/x',
    })
    expect(explained).toMatchObject({ status: 400, body: { error: 'UnknownFeed' } })
  })

  test('for themselves', async () => {
    const viewer = new Author().register(directory)
    relay.emit(viewer.follow(writer.did).event)
    const one = await post(`${word} for followers`)
    const definition = recordOf({
      sources: [{ kind: 'viewerGraph', edge: 'follows', windowHours: 24 }],
      ...about(word),
    })
    const nobody = await ask('preview', { definition })
    expect(nobody.body.feed).toEqual([])
    const keypair = await Secp256k1Keypair.import(viewer.key.export())
    const jwt = await createServiceJwt({
      iss: viewer.did,
      aud: SERVICE_DID,
      lxm: 'social.atoll.feed.preview',
      keypair,
    })
    const { body } = await ask('preview', { definition }, { authorization: `Bearer ${jwt}` })
    expect(body.feed.map((item: { post: string }) => item.post)).toEqual([one])
  })
})

describe('a feed that is made for its viewer', () => {
  const method = 'app.bsky.feed.getFeedSkeleton'

  async function headersOf(viewer: Author, lxm: string) {
    const keypair = await Secp256k1Keypair.import(viewer.key.export())
    const jwt = await createServiceJwt({ iss: viewer.did, aud: SERVICE_DID, lxm, keypair })
    return { authorization: `Bearer ${jwt}` }
  }

  test('needs one, and hides what was seen, liked, or is his own', async () => {
    const viewer = new Author().register(directory)
    relay.emit(viewer.follow(writer.did).event)
    relay.emit(viewer.follow(viewer.did).event)
    const [seen, liked, kept] = [await post(word), await post(word), await post(word)]
    relay.emit(viewer.post(word).event)
    relay.emit(viewer.like(liked).event)
    const uri = publish(
      feed,
      recordOf({
        sources: [{ kind: 'viewerGraph', edge: 'follows', windowHours: 24 }],
        ...about(word),
        viewer: { hide: ['seen', 'liked', 'own'], feedback: true },
      }),
    )
    const shownTo = async () => {
      const headers = await headersOf(viewer, method)
      const { body } = await feedgen.get(method, { feed: uri }, headers)
      return body.feed?.map((item: { post: string }) => item.post)
    }
    await soon(async () => same(await shownTo(), [kept, seen]))
    expect(await get(uri)).toMatchObject({ status: 401, body: { error: 'AuthMissing' } })
    const sent = await fetch(`${feedgen.url}/xrpc/app.bsky.feed.sendInteractions`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(await headersOf(viewer, 'app.bsky.feed.sendInteractions')),
      },
      body: JSON.stringify({
        feed: uri,
        interactions: [{ item: seen, event: 'app.bsky.feed.defs#interactionSeen' }],
      }),
    })
    expect(sent.status).toBe(200)
    await eventually(async () => same(await shownTo(), [kept]))
  })
})
