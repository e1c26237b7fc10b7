/** The built-in feeds over a small index. */
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Feed, FeedItem, FeedPage } from '../../../feedgen/feeds/page.ts'
import { openIndex } from '../../../feedgen/index/database.ts'
import type { Change, IndexEvent, NewPost } from '../../../feedgen/index/writer.ts'
import { seededRandom } from '../../support/random.ts'
import { builtIn, feedDeps, feedOf } from './support.ts'

const viewer = 'did:plc:viewer'
/** Posts are made in the day before. */
const START = Date.now() - 86_400_000

/** An index in memory, and short ways to fill it. */
async function world() {
  const index = await openIndex(':memory:')
  onTestFinished(() => index[Symbol.asyncDispose]())
  let serial = 0
  const apply = (did: string, changes: Change[], more: object = {}) => {
    const rev = String(++serial).padStart(8, '0')
    return index.writer.apply([
      { kind: 'commit', did, rev, since: null, data: rev, changes, ...more } as IndexEvent,
    ])
  }
  /** Each author's chain is made whole, so that nothing counts as a jump. */
  const heads = new Map<string, string>()
  const put = async (did: string, ...changes: Change[]) => {
    const data = `data ${serial + 1}`
    await apply(did, changes, { data, prevData: heads.get(did) })
    heads.set(did, data)
  }
  const name = (did: string, collection: string) => `at://${did}/app.bsky.${collection}/${++serial}`
  return {
    index,
    put,
    /** The feed as a process that was just started serves it. */
    open: (name: string): Feed => feedOf(builtIn(name), feedDeps(index.facts)),
    async post(did: string, at: number, more: Partial<NewPost> = {}) {
      const uri = name(did, 'feed.post')
      const row = {
        record: new Uint8Array(),
        sort_at: START + at,
        seen_at: START + at,
        reply_root: null,
        reply_parent: null,
        quote: null,
      }
      await put(did, { table: 'posts', uri, row: { ...row, ...more } })
      return uri
    },
    async like(did: string, subject: string) {
      const uri = name(did, 'feed.like')
      await put(did, { table: 'likes', uri, row: { subject } })
      return uri
    },
    async repost(did: string, subject: string, at: number) {
      const uri = name(did, 'feed.repost')
      await put(did, { table: 'reposts', uri, row: { subject, sort_at: START + at } })
      return uri
    },
    async follow(did: string, subject: string) {
      const uri = name(did, 'graph.follow')
      await put(did, { table: 'follows', uri, row: { subject } })
      return uri
    },
    account: (did: string, active: boolean, status?: string) =>
      index.writer.apply([{ kind: 'account', did, active, status }]),
  }
}

type World = Awaited<ReturnType<typeof world>>

async function items({ open }: World, name: string, limit = 100): Promise<FeedItem[]> {
  return (await open(name)({ viewer, limit })).items
}

async function posts(world: World, name: string): Promise<string[]> {
  return (await items(world, name)).map(({ post }) => post)
}

/** Lets what is only kept for a while grow old. */
function passTime(): void {
  if (!vi.isFakeTimers()) {
    vi.useFakeTimers({ toFake: ['Date'] })
    onTestFinished(() => void vi.useRealTimers())
  }
  vi.setSystemTime(Date.now() + 10_000)
}

describe('latest', () => {
  test('has every post but answers, newest first', async () => {
    const w = await world()
    const older = await w.post('did:plc:a', 1000)
    const newer = await w.post('did:plc:b', 2000)
    const same = await w.post('did:plc:c', 2000)
    await w.post('did:plc:b', 3000, { reply_parent: older, reply_root: older })
    expect(await posts(w, 'latest')).toEqual([same, newer, older])
  })

  test('does not have posts that were deleted, or whose authors are gone, for as long as they are', async () => {
    const w = await world()
    const post = await w.post('did:plc:a', 1000)
    const gone = await w.post('did:plc:b', 2000)
    await w.put('did:plc:b', { table: 'posts', uri: gone, row: null })
    expect(await posts(w, 'latest')).toEqual([post])
    await w.account('did:plc:a', false, 'takendown')
    expect(await posts(w, 'latest')).toEqual([])
    await w.account('did:plc:a', true)
    expect(await posts(w, 'latest')).toEqual([post])
    await w.account('did:plc:a', false, 'deleted')
    await w.account('did:plc:a', true)
    expect(await posts(w, 'latest')).toEqual([])
  })

  test('does not have posts of which nobody knows whether they are still there', async () => {
    const w = await world()
    const before = await w.post('did:plc:a', 1000)
    expect(await posts(w, 'latest')).toEqual([before])
    await w.index.writer.apply([{ kind: 'sync', did: 'did:plc:a', rev: '9', data: 'another' }])
    expect(await posts(w, 'latest')).toEqual([])
    const uri = 'at://did:plc:a/app.bsky.feed.post/new'
    const row = {
      record: new Uint8Array(),
      sort_at: START,
      seen_at: START,
      reply_root: null,
      reply_parent: null,
      quote: null,
    }
    const changes: Change[] = [{ table: 'posts', uri, row }]
    await w.index.writer.apply([
      { kind: 'commit', did: 'did:plc:a', rev: '91', since: '9', prevData: 'another', data: 'next', changes },
    ])
    expect(await posts(w, 'latest')).toEqual([uri])
  })
})

test('latest goes on beyond the thousand posts that a ranking has', async () => {
  const w = await world()
  const changes = Array.from({ length: 1100 }, (_, i): Change => {
    const at = { sort_at: START + i, seen_at: START + i }
    const row = { record: new Uint8Array(), ...at, reply_root: null, reply_parent: null, quote: null }
    return { table: 'posts', uri: `at://did:plc:b/app.bsky.feed.post/${i}`, row }
  })
  await w.put('did:plc:b', ...changes)
  const feed = w.open('latest')
  const shown = new Set<string>()
  for (let cursor: string | undefined, isEnd = false; !isEnd; isEnd = cursor === undefined) {
    const page: FeedPage = await feed({ viewer, limit: 100, cursor })
    for (const { post } of page.items) shown.add(post)
    cursor = page.cursor
  }
  expect(shown.size).toBe(1100)
})

describe('hot', () => {
  test('orders by engagement and age', async () => {
    const w = await world()
    const hour = 3_600_000
    const now = 24 * hour
    const ignored = await w.post('did:plc:a', now)
    const liked = await w.post('did:plc:a', now - hour)
    const reposted = await w.post('did:plc:a', now - hour)
    const faded = await w.post('did:plc:a', now - 24 * hour)
    await w.like('did:plc:b', liked)
    await w.repost('did:plc:b', reposted, now)
    await w.like('did:plc:b', faded)
    await w.like('did:plc:c', faded)
    expect(await posts(w, 'hot')).toEqual([reposted, liked, ignored, faded])
  })

  test('finds a post that many like, however many came after it', async () => {
    const w = await world()
    const best = await w.post('did:plc:a', 0)
    for (let i = 0; i < 20; i++) await w.like(`did:plc:fan${i}`, best)
    const changes = Array.from({ length: 3000 }, (_, i): Change => {
      const uri = `at://did:plc:b/app.bsky.feed.post/${i}`
      const row = {
        record: new Uint8Array(),
        sort_at: START + i,
        seen_at: START + i,
        reply_root: null,
        reply_parent: null,
        quote: null,
      }
      return { table: 'posts', uri, row }
    })
    await w.put('did:plc:b', ...changes)
    expect((await items(w, 'hot'))[0]).toEqual({ post: best })
  })

  test('closes the gaps of posts that were deleted since it was ranked', async () => {
    passTime()
    const w = await world()
    const all: string[] = []
    for (let i = 0; i < 10; i++) all.unshift(await w.post('did:plc:a', 1000 * i))
    const feed = w.open('hot')
    const first = await feed({ viewer: '', limit: 3 })
    for (const uri of all.slice(3, 6)) await w.put('did:plc:a', { table: 'posts', uri, row: null })
    passTime()
    const second = await feed({ viewer: '', limit: 3, cursor: first.cursor })
    expect(second.items.map(({ post }) => post)).toEqual(all.slice(6, 9))
  })

  test('goes on where it was after a restart', async () => {
    const w = await world()
    const all: string[] = []
    for (let i = 0; i < 9; i++) all.unshift(await w.post('did:plc:a', 100_000 * i))
    const first = await w.open('hot')({ viewer: '', limit: 4 })
    const second = await w.open('hot')({ viewer: '', limit: 4, cursor: first.cursor })
    const third = await w.open('hot')({ viewer: '', limit: 4, cursor: second.cursor })
    expect([first, second, third].flatMap(({ items }) => items.map(({ post }) => post))).toEqual(all)
    expect(third.cursor).toBeUndefined()
  })
})

describe('following and mutuals', () => {
  test('have what those accounts post and repost, and not their answers', async () => {
    const w = await world()
    await w.follow(viewer, 'did:plc:friend')
    await w.follow('did:plc:friend', viewer)
    await w.follow(viewer, 'did:plc:star')
    await w.follow('did:plc:fan', viewer)
    const byStranger = await w.post('did:plc:stranger', 1000)
    const byFriend = await w.post('did:plc:friend', 2000)
    const byStar = await w.post('did:plc:star', 3000)
    await w.post('did:plc:fan', 4000)
    await w.post('did:plc:friend', 5000, { reply_parent: byStar, reply_root: byStar })
    const repost = await w.repost('did:plc:friend', byStranger, 6000)
    await w.repost('did:plc:fan', byStar, 7000)
    const shared = { post: byStranger, repost }
    expect(await items(w, 'following')).toEqual([shared, { post: byStar }, { post: byFriend }])
    expect(await items(w, 'mutuals')).toEqual([shared, { post: byFriend }])
  })

  test('have a post once, whoever reposts it and how often the viewer follows', async () => {
    const w = await world()
    for (const did of ['did:plc:a', 'did:plc:b', 'did:plc:b']) await w.follow(viewer, did)
    const own = await w.post('did:plc:a', 1000)
    const other = await w.post('did:plc:c', 2000)
    await w.repost('did:plc:b', own, 3000)
    await w.repost('did:plc:b', other, 5000)
    const earliest = await w.repost('did:plc:a', other, 4000)
    expect(await items(w, 'following')).toEqual([{ post: other, repost: earliest }, { post: own }])
  })

  test('end with an unfollow', async () => {
    const w = await world()
    const uri = await w.follow(viewer, 'did:plc:a')
    const post = await w.post('did:plc:a', 1000)
    expect(await posts(w, 'following')).toEqual([post])
    await w.put(viewer, { table: 'follows', uri, row: null })
    expect(await posts(w, 'following')).toEqual([])
  })

  test('do not have reposts of posts that are not there to be seen', async () => {
    const w = await world()
    await w.follow(viewer, 'did:plc:a')
    const unseen = 'at://did:plc:c/app.bsky.feed.post/unseen'
    await w.repost('did:plc:a', unseen, 1000)
    const theirs = await w.post('did:plc:b', 1000)
    await w.repost('did:plc:a', theirs, 2000)
    expect(await posts(w, 'following')).toEqual([theirs])
    await w.account('did:plc:b', false, 'suspended')
    expect(await posts(w, 'following')).toEqual([])
  })
})

describe('pages', () => {
  const names = ['latest', 'hot', 'following', 'mutuals']

  test.for(names)(
    'of %s show each post once and leave none out, whatever comes in meanwhile',
    async (name) => {
      const random = seededRandom(11)
      passTime()
      const w = await world()
      const authors = ['did:plc:a', 'did:plc:b', 'did:plc:c']
      for (const did of authors) {
        await w.follow(viewer, did)
        await w.follow(did, viewer)
      }
      const original: string[] = []
      // Several posts of the same moment, so that places are told apart by more than time.
      for (let i = 0; i < 60; i++) original.push(await w.post(random.pick(authors), 1000 * Math.floor(i / 4)))
      for (let i = 0; i < 40; i++) await w.like(`did:plc:fan${i}`, random.pick(original))
      const strangers: string[] = []
      for (let i = 0; i < 10; i++) {
        const post = await w.post('did:plc:stranger', 1000 * i)
        strangers.push(post)
        await w.repost(random.pick(authors), post, 1000 * i + 500)
      }

      const feed = w.open(name)
      const shown: string[] = []
      let cursor: string | undefined
      for (let pages = 0; pages < 200; pages++) {
        const limit = 1 + random.below(9)
        const page: FeedPage = await feed({ viewer, limit, cursor })
        expect(page.items.length).toBeLessThanOrEqual(limit)
        expect(page.cursor).not.toBe(cursor ?? '')
        if (page.cursor !== undefined) expect(page.items.length).toBe(limit)
        shown.push(...page.items.map(({ post }) => post))
        cursor = page.cursor
        if (cursor === undefined) break
        passTime()
        // New posts and reposts, and likes that turn the order over.
        await w.post(random.pick(authors), 1_000_000 + pages)
        await w.repost(random.pick(authors), random.pick([...strangers, ...original]), 1_000_000 + pages)
        for (let i = 0; i < 5; i++) await w.like(`did:plc:late${pages}${i}`, random.pick(original))
      }
      expect(cursor).toBeUndefined()
      expect(shown.length).toBe(new Set(shown).size)
      expect(new Set(shown)).toEqual(new Set([...original, ...strangers]))
    },
  )

  test.for(names)('of %s end exactly', async (name) => {
    const w = await world()
    await w.follow(viewer, 'did:plc:a')
    await w.follow('did:plc:a', viewer)
    for (let i = 0; i < 4; i++) await w.post('did:plc:a', i)
    const feed = w.open(name)
    expect(await feed({ viewer, limit: 4 })).toEqual({ items: expect.objectContaining({ length: 4 }) })
    const first = await feed({ viewer, limit: 2 })
    const second = await feed({ viewer, limit: 2, cursor: first.cursor })
    expect(second.items.length).toBe(2)
    expect(second.cursor).toBeUndefined()
  })

  test.for(names)('of %s refuse what is no cursor', async (name) => {
    const feed = (await world()).open(name)
    for (const cursor of ['', 'x', 'W10', 'WzFd']) {
      await expect(feed({ viewer, limit: 1, cursor })).rejects.toMatchObject({ kind: 'invalid' })
    }
  })
})
