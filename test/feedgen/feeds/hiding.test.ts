/** Lists that were made a while ago: what is to be hidden since then is not on the next page. */
import { expect, test } from 'vitest'
import { compile } from '../../../feedgen/algorithm/compile.ts'
import type { Definition, Filter } from '../../../feedgen/algorithm/definition.ts'
import { type Job, run, type Shown } from '../../../feedgen/engine/jobs.ts'
import type { FeedAlgorithm } from '../../../feedgen/feeds/feed-algorithm.ts'
import { Hiding } from '../../../feedgen/feeds/hiding.ts'
import { Lists } from '../../../feedgen/feeds/ranked-lists.ts'
import { type FeedDeps, servePage } from '../../../feedgen/feeds/serving.ts'
import { Visibility } from '../../../feedgen/feeds/visibility.ts'
import { HOUR_MS, MemoryFacts } from '../engine/memory.ts'

const now = Date.now()
const [ana, ben, viewer, labeler] = ['ana', 'ben', 'viewer', 'labeler'].map(
  (name) => `did:web:${name}.example`,
) as [string, string, string, string]
const other = 'did:web:other.example'
const list = `at://${ana}/app.bsky.graph.list/rude`
const spam: Filter = { kind: 'label', any: ['spam'], by: [labeler] }

/** A feed whose list is made once, and is old and still served from then on. */
async function feedOf(parts: Partial<Definition>) {
  const w = new MemoryFacts(now)
  w.list(list, [])
  for (const who of [viewer, other]) w.follow(who, ben)
  const posts = [
    w.post(ana, 'by ana', { hoursAgo: 1 }),
    w.post(ben, 'by ben', { hoursAgo: 2 }),
    w.post(ana, 'old', { hoursAgo: 30 }),
  ] as const
  const definition = {
    sources: [{ kind: 'network', windowHours: 48 }],
    score: { order: 'newest' },
    createdAt: '',
    ...parts,
  } as Definition
  const live: FeedAlgorithm = { key: 'x', plan: compile(definition) }
  const clock = { now }
  const deps = {
    evaluator: { run: (job: Job) => run({ ...job, now }, w) },
    lists: new Lists<Shown>({ freshMs: 60_000, staleMsMax: 120_000, itemsMax: 1000, now: () => clock.now }),
    visibility: new Visibility(w),
    facts: w,
    hiding: new Hiding(w, () => clock.now),
  } as unknown as FeedDeps
  const shown = async (who = viewer, limit = 10) => {
    clock.now += 300
    return (await servePage(live, { viewer: who, limit }, deps, async () => undefined)).items.map(
      ({ post }) => post,
    )
  }
  expect(await shown()).toEqual(posts)
  return { w, posts, shown }
}

test('a post that gets a label that the feed hides goes at once, and the page is filled from further down', async () => {
  const { w, posts, shown } = await feedOf({
    where: {
      kind: 'all',
      of: [
        { kind: 'not', of: spam },
        { kind: 'not', of: { kind: 'tag', any: ['ad'] } },
      ],
    },
  })
  w.label(labeler, posts[0], 'spam')
  w.label('did:web:somebody.example', posts[1], 'spam')
  expect(await shown()).toEqual(posts.slice(1))
  expect(await shown(viewer, 1)).toEqual([posts[1]])
  w.label(labeler, ben, 'spam')
  expect(await shown()).toEqual([posts[2]])
})

test('where another part of a filter may let it stay, it does', async () => {
  const either: Filter = {
    kind: 'any',
    of: [
      { kind: 'not', of: spam },
      { kind: 'text', words: ['by'] },
    ],
  }
  const { w, posts, shown } = await feedOf({ where: either })
  w.label(labeler, posts[0], 'spam')
  expect(await shown()).toEqual(posts)
})

test('who comes onto a list that the feed hides goes at once', async () => {
  const where: Filter = { kind: 'not', of: { kind: 'author', in: { kind: 'list', uri: list } } }
  const { w, posts, shown } = await feedOf({ where })
  w.list(list, [ben])
  expect(await shown()).toEqual([posts[0], posts[2]])
})

test('what a set takes away goes at once, as far as it reaches', async () => {
  const network = { kind: 'network', windowHours: 48 } as const
  const { w, posts, shown } = await feedOf({
    sources: [
      {
        kind: 'minus',
        from: [network],
        take: [
          { kind: 'list', uri: list, windowHours: 24 },
          { kind: 'labels', by: labeler, val: ['spam'], windowHours: 24 },
        ],
      },
    ],
  })
  w.list(list, [ana])
  // Of posts that its source brings, a label on the author says nothing.
  w.label(labeler, ben, 'spam')
  expect(await shown()).toEqual(posts.slice(1))
  w.label(labeler, posts[1], 'spam')
  expect(await shown()).toEqual([posts[2]])
})

test('who the viewer blocks goes at once, for that viewer alone', async () => {
  const { w, posts, shown } = await feedOf({ viewer: { hide: ['blocked'] } })
  expect(await shown(other)).toEqual(posts)
  w.block(viewer, ana)
  w.block(ben, other)
  expect(await shown()).toEqual([posts[1]])
  expect(await shown(other)).toEqual([posts[0], posts[2]])
})

test('a post that is set by hand stays whatever is said of it', async () => {
  const w = new MemoryFacts(now)
  const post = w.post(ana, 'pinned')
  w.label(labeler, post, 'spam')
  const plan = compile({
    sources: [{ kind: 'network', windowHours: 48 }],
    where: { kind: 'not', of: spam },
    place: { pin: post },
    createdAt: '',
  })
  const [{ id, author }] = [...(await w.postsByUri([post])).values()] as unknown as [
    { id: number; author: number },
  ]
  const item = { id, author, post, score: 0 }
  expect(await new Hiding(w, () => now + HOUR_MS).of(plan, [item], '')).toEqual(new Set())
  expect(
    await new Hiding(w).of({ ...plan, definition: { ...plan.definition, place: {} } }, [item], ''),
  ).toEqual(new Set([id]))
})
