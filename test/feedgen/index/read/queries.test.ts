/** What the index answers to those who rank, alike on both stores. */
import { describe, expect, test } from 'vitest'
import { encode } from '#protocol/cbor.ts'
import { type Cid, cidForCbor } from '#protocol/cid.ts'
import type { Index } from '../../../../feedgen/index/database.ts'
import type { Change, NewPost, NewRecords } from '../../../../feedgen/index/write/events.ts'
import { newLocation, stores, usePostgres, writtenIndex } from '../stores.ts'

usePostgres()

const NOW = Date.now()
const HOUR_MS = 3_600_000
const everything = { since: 0, limit: 100 }
const [alice, bob, carol, dave] = ['alice', 'bob', 'carol', 'dave'].map((name) => `did:plc:${name}`) as [
  string,
  string,
  string,
  string,
]

const nsids: Partial<Record<keyof NewRecords, string>> = {
  posts: 'app.bsky.feed.post',
  likes: 'app.bsky.feed.like',
  reposts: 'app.bsky.feed.repost',
  lists: 'app.bsky.graph.list',
}

/** Short ways to fill an index, and its answers in words. */
function worldOf(index: Index) {
  const { facts, reader, writer, pending } = index
  let serial = 0
  const put = async <T extends keyof NewRecords>(did: string, table: T, row: NewRecords[T] | null) => {
    const rev = String(++serial).padStart(6, '0')
    const uri = `at://${did}/${nsids[table] ?? 'other'}/${rev}`
    await writer.apply([{ kind: 'commit', did, rev, changes: [{ table, uri, row } as Change] }])
    return uri
  }
  const idsOf = async (uris: string[]) => {
    const found = await facts.postsByUri(uris)
    return uris.map((uri) => found.get(uri)?.id ?? 0)
  }
  return {
    facts,
    reader,
    writer,
    pending,
    put,
    idsOf,
    post: (did: string, hoursAgo: number, more: Partial<NewPost> = {}) =>
      put(did, 'posts', {
        sort_at: NOW - hoursAgo * HOUR_MS,
        seen_at: NOW,
        reply_root: null,
        reply_parent: null,
        quote: null,
        record: encode({ $type: 'app.bsky.feed.post', text: `${did} ${hoursAgo}` }),
        ...more,
      }),
    like: (did: string, subject: string) => put(did, 'likes', { subject }),
    account: async (did: string) => (await facts.accounts([did])).get(did) ?? 0,
    async uris(posts: readonly { id: number }[]) {
      const uris = await facts.uris(posts.map(({ id }) => id))
      return posts.map(({ id }) => uris.get(id))
    },
    async names(accounts: Iterable<number>) {
      return [...(await facts.dids([...accounts])).values()].sort()
    },
  }
}

describe.for(stores)('facts in %s', (store) => {
  const newWorld = async () => worldOf(await writtenIndex(await newLocation(store)))

  test('of several reposts of a post the earliest by time, whichever came in first', async () => {
    const w = await newWorld()
    const post = await w.post(alice, 5)
    const repostAt = (did: string, hoursAgo: number) =>
      w.put(did, 'reposts', { subject: post, sort_at: NOW - hoursAgo * HOUR_MS })
    const late = await repostAt(carol, 1)
    const early = await repostAt(dave, 3)
    const moment = await repostAt(bob, 3)
    for (const did of [bob, carol, dave]) await w.put(alice, 'follows', { subject: did })
    await w.put('did:plc:viewer', 'follows', { subject: carol })
    for (const did of [dave, bob]) await w.put('did:plc:viewer', 'follows', { subject: did })
    const of = async (...dids: string[]) => {
      const accounts = await Promise.all(dids.map(w.account))
      return (await w.facts.repostedBy(accounts, everything)).map(({ uri }) => uri)
    }
    const viewer = await w.account('did:plc:viewer')
    const followed = async () =>
      (await w.facts.repostedBy({ around: viewer, edge: 'follows' }, everything)).map(({ uri }) => uri)
    // Of two of a moment the one whose name comes first.
    expect(await of(carol, dave, bob)).toEqual([moment])
    expect(await of(carol, dave)).toEqual([early])
    expect(await followed()).toEqual([moment])
    // What is not shown takes the place of no other.
    await w.writer.apply([{ kind: 'account', did: carol, active: false, status: 'takendown' }])
    await w.writer.apply([{ kind: 'account', did: bob, active: false, status: 'takendown' }])
    expect(await followed()).toEqual([early])
    await w.writer.apply([{ kind: 'account', did: carol, active: true }])
    for (const [did, uri] of [
      [bob, early],
      [dave, late],
    ] as const) {
      await w.writer.apply([{ kind: 'account', did, active: false, status: 'takendown' }])
      expect(await of(carol, dave, bob)).toEqual([uri])
    }
  })

  test('a label that names a version of a post holds for that version alone', async () => {
    const w = await newWorld()
    const record = (text: string) => encode({ $type: 'app.bsky.feed.post', text })
    const [before, after] = [cidForCbor(record('before')), cidForCbor(record('after'))]
    const post = await w.post(alice, 1, { record: record('before') })
    const say = (cid: Cid | null, val: string, madeAt: number, neg = false) =>
      w.writer.apply([
        { kind: 'labels', did: dave, labels: [{ uri: post, cid, val, neg, madeAt, expiresAt: null }] },
      ])
    const vals = async () => {
      const [id] = (await w.idsOf([post])) as [number]
      const held = (await w.facts.labels([id], [dave])).get(id)?.map(({ val }) => val) ?? []
      const all = ['first', 'second', 'both', 'every', 'undone']
      for (const val of all) {
        const found = await w.facts.labelled(dave, [val], everything)
        expect(found.length, val).toBe(held.includes(val) ? 1 : 0)
      }
      return held.sort()
    }
    await say(before, 'first', 1)
    await say(after, 'second', 1)
    await say(before, 'both', 1)
    await say(after, 'both', 2)
    await say(null, 'every', 1)
    // For every version at once, whichever word comes in first.
    await say(null, 'undone', 5, true)
    await say(before, 'undone', 4)
    expect(await vals()).toEqual(['both', 'every', 'first'])
    // A newer word than that holds again.
    await say(before, 'undone', 6)
    expect(await vals()).toEqual(['both', 'every', 'first', 'undone'])
    // What is said of one version leaves the words on others as they are.
    await say(before, 'both', 3, true)
    await say(after, 'every', 3, true)
    expect(await vals()).toEqual(['every', 'first', 'undone'])
    const [did, rkey] = [alice, post.slice(post.lastIndexOf('/') + 1)]
    const row = { sort_at: NOW, seen_at: NOW, reply_root: null, reply_parent: null, quote: null }
    const change: Change = { table: 'posts', uri: post, row: { ...row, record: record('after') } }
    await w.writer.apply([{ kind: 'commit', did, rev: `${rkey}x`, changes: [change] }])
    expect(await vals()).toEqual(['both', 'every', 'second'])
  })

  test('of posts: newest, most engaged, of authors, around others', async () => {
    const w = await newWorld()
    const first = await w.post(alice, 3)
    const reply = await w.post(bob, 2, { reply_root: first, reply_parent: first })
    const quote = await w.post(carol, 1, { quote: first })
    for (const did of [bob, carol, dave]) await w.like(did, first)
    const repost = await w.put(dave, 'reposts', { subject: first, sort_at: NOW })

    const newest = await w.facts.newest(everything)
    expect(await w.uris(newest)).toEqual([quote, reply, first])
    expect(newest.map(({ isReply, isQuote }) => [isReply, isQuote])).toEqual([
      [false, true],
      [true, false],
      [false, false],
    ])
    expect(newest[2]).toMatchObject({ likes: 3, reposts: 1, replies: 1, quotes: 1 })
    expect(newest[1]!.root).toBe(newest[2]!.id)
    expect(await w.uris(await w.facts.newest({ ...everything, limit: 1, after: newest[0]! }))).toEqual([
      reply,
    ])
    expect(await w.uris(await w.facts.newest({ since: NOW - 1.5 * HOUR_MS, limit: 9 }))).toEqual([quote])
    expect(await w.uris(await w.facts.engaged({ since: 0, limit: 1 }))).toEqual([quote, first])
    expect(await w.uris(await w.facts.byAuthors([await w.account(bob)], everything))).toEqual([reply])
    const [shared] = await w.facts.repostedBy([await w.account(dave)], everything)
    expect(shared).toMatchObject({ uri: repost, by: await w.account(dave), post: { id: newest[2]!.id } })

    const [firstId, replyId, quoteId] = (await w.idsOf([first, reply, quote])) as [number, number, number]
    const around = async (ids: number[], to: Parameters<typeof w.facts.around>[1]) =>
      [...(await w.facts.around(ids, to, { limit: 5 }))].map(([id, posts]) => [id, posts.map(({ id }) => id)])
    expect(await around([replyId], 'parent')).toEqual([[replyId, [firstId]]])
    expect(await around([replyId], 'root')).toEqual([[replyId, [firstId]]])
    expect(await around([quoteId], 'quoted')).toEqual([[quoteId, [firstId]]])
    expect(await around([firstId, replyId], 'replies')).toEqual([[firstId, [replyId]]])
    expect(await around([firstId], 'quotes')).toEqual([[firstId, [quoteId]]])
    const { record, author } = (await w.facts.records([firstId])).get(firstId)!
    expect([record.text, author]).toEqual([`${alice} 3`, alice])
  })

  test('leave out what may not be shown', async () => {
    const w = await newWorld()
    const post = await w.post(alice, 1)
    const [id] = (await w.idsOf([post])) as [number]
    await w.put(alice, 'profiles', { no_unauthenticated: true, looked_at: NOW })
    expect(await w.facts.visible([id], { signedIn: true })).toEqual(new Set([id]))
    expect(await w.facts.visible([id], { signedIn: false })).toEqual(new Set())
    await w.writer.apply([{ kind: 'account', did: alice, active: false, status: 'takendown' }])
    expect(await w.facts.newest(everything)).toEqual([])
    expect(await w.facts.posts([id])).toEqual([])
    expect(await w.facts.visible([id], { signedIn: true })).toEqual(new Set())
  })

  test('of labels, lists, graphs and blocks', async () => {
    const w = await newWorld()
    const post = await w.post(alice, 1)
    const [id] = (await w.idsOf([post])) as [number]
    const label = (val: string, more: object = {}) =>
      w.writer.apply([
        {
          kind: 'labels',
          did: dave,
          labels: [{ uri: post, cid: null, val, neg: false, madeAt: 5, expiresAt: null, ...more }],
        },
      ])
    await label('art')
    await label('old', { expiresAt: NOW - 1 })
    await label('cats')
    await label('cats', { neg: true, madeAt: 6 })
    await label('cats', { madeAt: 4 })
    expect(await w.facts.labels([id], [dave, bob])).toEqual(new Map([[id, [{ by: dave, val: 'art' }]]]))
    expect(await w.uris(await w.facts.labelled(dave, ['art', 'cats', 'old'], everything))).toEqual([post])
    expect(await w.facts.labelled(dave, ['cats', 'old'], everything)).toEqual([])

    const list = await w.put(alice, 'lists', { purpose: 'app.bsky.graph.defs#modlist', name: 'them' })
    await w.put(alice, 'list_items', { list, subject: bob })
    await w.put(carol, 'list_items', { list, subject: carol })
    expect(await w.names(await w.facts.members(list, { limit: 9 }))).toEqual([bob])
    for (const [author, subject] of [
      [alice, bob],
      [bob, alice],
      [alice, carol],
      [dave, alice],
    ] as const)
      await w.put(author, 'follows', { subject })
    const me = await w.account(alice)
    const graph = async (edge: 'follows' | 'followers' | 'mutuals') =>
      w.names(await w.facts.graph(me, edge, { limit: 9 }))
    expect(await graph('follows')).toEqual([bob, carol])
    expect(await graph('followers')).toEqual([bob, dave])
    expect(await graph('mutuals')).toEqual([bob])

    await w.put(carol, 'blocks', { subject: alice })
    await w.put(alice, 'list_blocks', { list })
    const all = await Promise.all([alice, bob, carol, dave].map(w.account))
    expect(await w.names(await w.facts.blocked(me, all))).toEqual([bob, carol])
    expect(await w.names(await w.facts.blocked(all[1]!, all))).toEqual([alice])
  })

  test('of likes and of what a viewer did', async () => {
    const w = await newWorld()
    const posts = [await w.post(alice, 3), await w.post(alice, 2), await w.post(bob, 1)] as const
    const [a, b, c] = (await w.idsOf([...posts])) as [number, number, number]
    for (const post of posts) await w.like(carol, post)
    await w.like(dave, posts[0])
    const [me, other] = [await w.account(carol), await w.account(dave)]
    expect(await w.facts.likes([me, other], { each: 2 })).toEqual(
      new Map([
        [me, [c, b]],
        [other, [a]],
      ]),
    )
    expect(await w.facts.likers([a, b], { each: 5 })).toEqual(
      new Map([
        [a, [other, me]],
        [b, [me]],
      ]),
    )
    expect(await w.facts.liked(other, [a, b, c])).toEqual(new Set([a]))
    const [author, second] = [await w.account(alice), await w.account(bob)]
    expect(await w.facts.authors([author])).toEqual(new Map([[author, { posts: 2, likes: 3 }]]))
    expect(await w.facts.affinities(me, { limit: 9 })).toEqual(
      new Map([
        [author, 2],
        [second, 1],
      ]),
    )
  })

  test('of accounts, as an AppView says', async () => {
    const w = await newWorld()
    await w.post(alice, 1)
    const { pending } = w
    await pending.keepAccountFacts(
      new Map([
        [alice, { createdAt: 5, followers: 2 ** 33, readAt: 1 }],
        [bob, { readAt: 2 }],
      ]),
    )
    // It was not known here until somebody spoke of it.
    const [one, other] = [await w.account(alice), await w.account(bob)]
    expect(await w.facts.accountFacts([one, other, 12345])).toEqual(
      new Map([
        [one, { createdAt: 5, followers: 2 ** 33, readAt: 1 }],
        [other, { createdAt: undefined, followers: undefined, readAt: 2 }],
      ]),
    )
    await pending.keepAccountFacts(new Map([[alice, { createdAt: 5, followers: 0, readAt: 3 }]]))
    expect(await pending.accountFacts([alice, carol])).toEqual(
      new Map([[alice, { createdAt: 5, followers: 0, readAt: 3 }]]),
    )
    // Of an account that is gone nothing is kept.
    await w.writer.apply([{ kind: 'account', did: alice, active: false, status: 'deleted' }])
    expect((await pending.accountFacts([alice])).size).toBe(0)
    await pending.keepAccountFacts(new Map([[alice, { followers: 1, readAt: 4 }]]))
    expect((await pending.accountFacts([alice])).size).toBe(0)
    expect((await pending.accountFacts([])).size).toBe(0)
  })

  test('of definitions and the posts that match them', async () => {
    const w = await newWorld()
    w.writer.matchWith(({ author }) => (author === alice ? [7] : []))
    const matched = await w.post(alice, 2)
    const other = await w.post(bob, 1)
    expect(await w.uris(await w.facts.matched(7, everything))).toEqual([matched])
    for (const did of [bob, carol, dave, alice]) await w.like(did, matched)
    expect(await w.uris(await w.facts.matchedEngaged(7, { since: 0, limit: 1 }))).toEqual([matched])
    await w.writer.addMatches(7, [...(await w.idsOf([other])), 12345])
    await w.writer.addMatches(7, await w.idsOf([other]))
    expect(await w.uris(await w.facts.matched(7, everything))).toEqual([other, matched])
    await w.writer.removeMatches(7)
    expect(await w.facts.matched(7, everything)).toEqual([])
  })
})
