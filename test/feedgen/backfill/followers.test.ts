/**
 * Who follows a fixed account is asked of an AppView, within bounds, and what that says is held
 * against what streams told.
 */
import { expect, test, vi } from 'vitest'
import { fetchFollowers } from '../../../feedgen/backfill/followers.ts'
import { ServerError } from '../../../feedgen/backfill/pds-client.ts'
import { newLocation, writtenIndex } from '../index/stores.ts'

const of = 'did:plc:fixed'
const { signal } = new AbortController()
const follower = (i: number) => `did:plc:follower${i}`
const uriOf = (did: string) => `at://${did}/app.bsky.graph.follow/3k`

/** An AppView with followers, a hundred on each page; and what it was asked. */
function appView(count: number, relationshipOf = (did: string): object => ({ did, followedBy: uriOf(did) })) {
  const asked: string[] = []
  const fetch = async (input: string | URL | Request) => {
    const { pathname, searchParams } = new URL(String(input))
    asked.push(pathname.split('.').at(-1) as string)
    if (pathname.endsWith('getRelationships')) {
      expect(searchParams.getAll('others').length).toBeLessThanOrEqual(30)
      return Response.json({ actor: of, relationships: searchParams.getAll('others').map(relationshipOf) })
    }
    const from = Number(searchParams.get('cursor') ?? 0)
    const length = Math.min(100, count - from)
    const followers = Array.from({ length }, (_, i) => ({ did: follower(from + i), handle: 'a.test' }))
    return Response.json({ followers, cursor: from + length < count ? String(from + length) : undefined })
  }
  return { asked, fetch, url: 'https://appview.test' }
}

async function stage() {
  const index = await writtenIndex(await newLocation('SQLite'))
  const followers = async () => {
    const account = (await index.facts.accounts([of])).get(of)
    const found =
      account === undefined ? [] : await index.facts.graph(account, 'followers', { limit: 20_000 })
    return [...(await index.facts.dids(found)).values()].sort()
  }
  return { index, followers }
}

test('all of them are found, page by page, and those that are deleted are not', async () => {
  const { index, followers } = await stage()
  await index.writer.apply([{ kind: 'account', did: follower(3), active: false, status: 'deleted' }])
  const { fetch, url, asked } = appView(130)
  await fetchFollowers({ fetch, url, index: index.writer, pauseMs: 0 }, of, signal)
  const all = Array.from({ length: 130 }, (_, i) => follower(i))
  expect(await followers()).toEqual(all.toSpliced(3, 1).sort())
  expect(asked.filter((method) => method === 'getFollowers')).toHaveLength(2)
  expect(asked.filter((method) => method === 'getRelationships')).toHaveLength(5)
  // The record has its own key, so that the stream takes the follow back.
  const gone = { table: 'follows', uri: uriOf(follower(1)), row: null } as const
  await index.writer.apply([{ kind: 'commit', did: follower(1), rev: '1', changes: [gone] }])
  expect(await followers()).not.toContain(follower(1))
})

test('what an AppView says in a way that cannot be is passed over', async () => {
  const { index, followers } = await stage()
  const strange = [
    { did: follower(0), followedBy: uriOf(follower(9)) },
    { did: follower(1), followedBy: 'at://x' },
    { did: follower(2), followedBy: `at://${follower(2)}/app.bsky.feed.like/3k` },
    { did: follower(3) },
    { did: 7, followedBy: uriOf(follower(4)) },
    { did: follower(5), followedBy: uriOf(follower(5)) },
  ]
  const { fetch, url } = appView(6, () => strange.shift() ?? {})
  await fetchFollowers({ fetch, url, index: index.writer, pauseMs: 0 }, of, signal)
  expect(await followers()).toEqual([follower(5)])
})

test('no more is read than the bound, also of an AppView whose pages never end', async () => {
  let pages = 0
  const fetch = async () =>
    Response.json({ followers: [{ did: follower(1) }], relationships: [], cursor: String(pages++) })
  const apply = vi.fn(async () => [])
  await fetchFollowers(
    { fetch, url: 'https://appview.test', index: { apply, rev: async () => null }, pauseMs: 0 },
    of,
    signal,
  )
  expect(pages).toBe(800)
  expect(apply).not.toHaveBeenCalled()
})

test.each<[string, () => Promise<Response>]>([
  ['is ill', async () => new Response('', { status: 503 })],
  ['hangs up', async () => Promise.reject(new TypeError('fetch failed'))],
  ['answers with a page', async () => new Response('<h1>hello</h1>')],
  ['answers with something else', async () => Response.json({ cursor: '1' })],
])('an AppView that %s is asked again another time', async (_, fetch) => {
  const index = { apply: async () => [], rev: async () => null }
  const fetched = fetchFollowers({ fetch, url: 'https://appview.test', index, pauseMs: 0 }, of, signal)
  await expect(fetched).rejects.toThrow(ServerError)
})
