/**
 * Streams against their slow twin, the ranking: page after page they show what it shows at once.
 */
import { expect, test } from 'vitest'
import { compile } from '../../../feedgen/algorithm/compile.ts'
import type { Definition, Filter } from '../../../feedgen/algorithm/definition.ts'
import { run } from '../../../feedgen/engine/jobs.ts'
import { type Random, seededRandom } from '../../support/random.ts'
import { feedDeps, feedOf } from '../feeds/support.ts'
import { MemoryFacts } from './memory.ts'

const now = Date.now()
const people = ['ana', 'ben', 'cleo', 'dan', 'eve'].map((name) => `did:web:${name}.example`)
const [ana, ben, cleo] = people as [string, string, string]
const viewer = 'did:web:viewer.example'
const list = `at://${ana}/app.bsky.graph.list/friends`
const labeler = 'did:web:labels.example'

const not = (of: Filter): Filter => ({ kind: 'not', of })
const noReplies = not({ kind: 'type', any: ['reply'] })

/**
 * Posts, replies, quotes and reposts at times that often coincide, some of them before any window.
 */
function world(random: Random): MemoryFacts {
  const w = new MemoryFacts(now)
  const posts: string[] = []
  w.list(list, [ana, ben])
  for (const who of [ana, ben, cleo]) w.follow(viewer, who)
  w.follow(ben, viewer)
  for (let i = 0; i < 60; i++) {
    const hoursAgo = 0.5 + random.below(60)
    const other = posts.length > 0 ? random.pick(posts) : undefined
    const kind = random.below(5)
    const options = {
      hoursAgo,
      ...(kind === 0 && other && { replyTo: other }),
      ...(kind === 1 && other && { quote: other }),
      ...(kind === 2 && { tags: ['sea'] }),
    }
    const post = w.post(random.pick(people), `post ${i}`, options)
    posts.push(post)
    if (random.below(8) === 0) w.label(labeler, post, 'spam')
  }
  for (let i = 0; i < 40; i++) w.repost(random.pick(people), random.pick(posts), 0.5 + random.below(60))
  for (let i = 0; i < 20; i++) w.like(viewer, random.pick(posts))
  return w
}

const followed = { kind: 'viewerGraph', edge: 'follows', windowHours: 48 } as const
const streams: Record<string, Partial<Definition>> = {
  'the whole network': { sources: [{ kind: 'network', windowHours: 48 }] },
  'the network without replies': { sources: [{ kind: 'network', windowHours: 48 }], where: noReplies },
  'whom the viewer follows': { sources: [followed] },
  'whom the viewer follows, with reposts and without replies': {
    sources: [{ ...followed, reposts: true }],
    where: noReplies,
  },
  'who follows the viewer back': { sources: [{ ...followed, edge: 'mutuals', reposts: true }] },
  'reposts alone': { sources: [{ ...followed, reposts: true }], where: { kind: 'type', any: ['repost'] } },
  'a list, with a tag or as a repost': {
    sources: [{ kind: 'list', uri: list, windowHours: 48, reposts: true }],
    where: {
      kind: 'any',
      of: [
        { kind: 'tag', any: ['sea'] },
        { kind: 'type', any: ['repost'] },
      ],
    },
  },
  'accounts, without a label': {
    sources: [{ kind: 'actors', dids: [ana, cleo], windowHours: 48, reposts: true }],
    where: not({ kind: 'label', any: ['spam'], by: [labeler] }),
  },
  'whom the viewer follows, but what they like': {
    sources: [{ ...followed, reposts: true }],
    viewer: { hide: ['liked'] },
  },
}

test.each(Object.entries(streams))('%s: pages show what the ranking shows', async (_, parts) => {
  const definition = { score: { order: 'newest' }, createdAt: '', ...parts } as Definition
  const plan = compile(definition)
  expect(plan.stream).toBeDefined()
  for (let seed = 1; seed <= 4; seed++) {
    const random = seededRandom(seed)
    const facts = world(random)
    const preview = await run({ kind: 'preview', definition, limit: 1000, viewer, now }, facts)
    const expected = preview.items.map(({ post, repost }) => ({ post, repost }))
    const feed = feedOf({ key: 'x', plan }, feedDeps(facts, { now: () => now }))
    const shown: object[] = []
    let cursor: string | undefined
    do {
      const page = await feed({ viewer, limit: 1 + random.below(9), cursor })
      shown.push(...page.items)
      cursor = page.cursor
    } while (cursor !== undefined)
    expect(shown).toEqual(expected)
    expect(expected.length).toBeGreaterThan(2)
  }
})

const ranked: Record<string, Partial<Definition>> = {
  'several sources': { sources: [followed, { kind: 'network', windowHours: 1 }] },
  'a score': {
    sources: [followed],
    score: { order: 'score', terms: [{ kind: 'likes', weightMilli: 1000 }] } as never,
  },
  'the oldest first': { sources: [followed], score: { order: 'oldest' } },
  'an arrangement': { sources: [followed], arrange: { perAuthor: { max: 1, within: 10 } } as never },
  'a pinned post': { sources: [followed], place: { pin: `at://${ana}/app.bsky.feed.post/1` } },
  duplicates: { sources: [followed], where: not({ kind: 'duplicate', of: 'text' }) },
  'what an AppView is asked': { sources: [followed], where: { kind: 'account', followersMin: 1 } as never },
  'few posts of the whole network': {
    sources: [{ kind: 'network', windowHours: 1 }],
    where: { kind: 'tag', any: ['sea'] },
  },
}

test.each(Object.entries(ranked))('%s: is ranked', (_, parts) => {
  expect(compile({ createdAt: '', ...parts } as Definition).stream).toBeUndefined()
})
