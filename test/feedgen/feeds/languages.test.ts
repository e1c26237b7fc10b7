/** Pages in the languages that the viewer reads. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { encode } from '#protocol/cbor.ts'
import { compile } from '../../../feedgen/algorithm/compile.ts'
import type { Definition } from '../../../feedgen/algorithm/definition.ts'
import { type ReadLanguages, readLanguages } from '../../../feedgen/algorithm/languages.ts'
import type { Feed, FeedRequest } from '../../../feedgen/feeds/page.ts'
import { openIndex } from '../../../feedgen/index/database.ts'
import type { Change } from '../../../feedgen/index/writer.ts'
import { MemoryFacts, type PostOptions } from '../engine/memory.ts'
import { builtIn, feedDeps, feedOf } from './support.ts'

const author = 'did:web:ana.example'
/**
 * What posts declare, from the newest to the oldest, and whether who reads Welsh and Norwegian is
 * shown them.
 */
const declared: readonly (readonly [langs: unknown, isShown: boolean])[] = [
  [['cy'], true],
  [['ja'], false],
  [['ja', 'cy-GB'], true],
  [[], true],
  [undefined, true],
  [['klingon!'], true],
  [['und'], true],
  ['ja', true],
  [['nb'], true],
  [['NN_no'], true],
  [['de', 'fr'], false],
  [['cym'], true],
  [['ko'], false],
]
const read = readLanguages(['cy', 'no-NO'])

/** All items of a feed, page after page. */
async function pages(feed: Feed, request: Partial<FeedRequest> = {}): Promise<string[][]> {
  const found: string[][] = []
  let cursor: string | undefined
  do {
    const page = await feed({ viewer: '', limit: 3, ...request, cursor })
    expect(page.languages).toEqual(request.languages?.tags)
    found.push(page.items.map(({ post }) => post))
    cursor = page.cursor
  } while (cursor !== undefined)
  return found
}

/** Every page full but the last, and each post once. */
function expectPages(found: string[][], posts: readonly string[]): void {
  expect(found.flat()).toEqual(posts)
  expect(found.slice(0, -1).every((page) => page.length === 3)).toBe(true)
}

describe('the feed of a definition', () => {
  function world(parts: (posts: string[]) => Partial<Definition>): { feed: Feed; posts: string[] } {
    const now = Date.now()
    const w = new MemoryFacts(now)
    const posts = declared.map(([langs], i) =>
      w.post(author, `post ${i}`, { hoursAgo: i + 1, langs } as PostOptions),
    )
    const definition = {
      sources: [{ kind: 'network', windowHours: 48 }],
      score: { order: 'newest' },
      createdAt: '',
      ...parts(posts),
    } as Definition
    const feed = feedOf({ key: 'x', plan: compile(definition) }, feedDeps(w, { now: () => now }))
    return { feed, posts }
  }

  test('is of the languages that the viewer reads where it says so, and of all for those of whom none are known', async () => {
    const { feed, posts } = world(() => ({ viewer: { languages: true } }))
    expectPages(
      await pages(feed, { languages: read }),
      posts.filter((_, i) => declared[i]![1]),
    )
    expectPages(await pages(feed), posts)
  })

  test('is of all languages where it does not', async () => {
    for (const viewer of [undefined, { languages: false }]) {
      const { feed, posts } = world(() => ({ viewer }))
      expect((await feed({ viewer: '', limit: 50, languages: read })).languages).toBeUndefined()
      expect((await feed({ viewer: '', limit: 50, languages: read })).items).toHaveLength(posts.length)
    }
  })

  test('has what its creator placed, whatever that is in', async () => {
    const { feed, posts } = world((posts) => ({
      viewer: { languages: true },
      place: { pin: posts[1], manualAdd: posts.slice(12) },
    }))
    const { items } = await feed({ viewer: '', limit: 2, languages: read })
    expect(items.map(({ post }) => post)).toEqual([posts[1], posts[12]])
  })

  test('makes one list for all viewers', () => {
    const plan = (viewer: Definition['viewer']) =>
      compile({ sources: [{ kind: 'network', windowHours: 1 }], viewer, createdAt: '' } as Definition)
    expect(plan({ languages: true }).looksAtViewer).toBe(false)
    expect(plan({ languages: true, feedback: true }).looksAtViewer).toBe(true)
  })
})

describe('the built-in feed', () => {
  async function filled(languagesOfPosts: readonly unknown[]) {
    const index = await openIndex(':memory:')
    onTestFinished(() => index[Symbol.asyncDispose]())
    const at = Date.now() - 1000
    const uris = languagesOfPosts.map(
      (_, i) => `at://${author}/app.bsky.feed.post/${String(i).padStart(5, '0')}`,
    )
    const changes = languagesOfPosts.map((langs, i): Change => {
      const record = encode({
        $type: 'app.bsky.feed.post',
        text: '',
        ...(langs !== undefined && { langs }),
      } as object)
      const row = {
        record,
        sort_at: at - i * 60_000,
        seen_at: at,
        reply_root: null,
        reply_parent: null,
        quote: null,
      }
      return { table: 'posts', uri: uris[i]!, row }
    })
    await index.writer.apply([{ kind: 'commit', did: author, rev: '1', data: '1', changes }])
    return { index, uris }
  }

  test.for(['latest', 'hot'])(
    '%s is of the languages that the viewer reads, if they are known',
    async (name) => {
      const { index, uris } = await filled(declared.map(([langs]) => langs))
      const feed = feedOf(builtIn(name), feedDeps(index.facts))
      expectPages(
        await pages(feed, { languages: read }),
        uris.filter((_, i) => declared[i]![1]),
      )
      expectPages(await pages(feed), uris)
    },
  )

  test('latest goes on behind posts that nobody here reads, and looks at so many for a page', async () => {
    const { index, uris } = await filled(
      Array.from({ length: 2500 }, (_, i) => (i === 2100 ? ['cy'] : ['ja'])),
    )
    const feed = feedOf(builtIn('latest'), feedDeps(index.facts))
    const found = await pages(feed, { languages: read })
    expect(found).toEqual([[], [uris[2100]]])
  })
})

test('languages are compared by what they are, not by how they are written', () => {
  const reads = (tags: string[], langs: string[]) => {
    const languages: ReadLanguages = readLanguages(tags)
    return [...readLanguages(langs).languages].some((language) => languages.languages.has(language))
  }
  expect(reads(['pt-BR'], ['pt'])).toBe(true)
  expect(reads(['eng'], ['en_US'])).toBe(true)
  expect(reads(['he'], ['iw'])).toBe(true)
  expect(reads(['zh-Hant'], ['cmn'])).toBe(true)
  expect(reads(['es'], ['ca', 'gl'])).toBe(false)
  expect(readLanguages(['und', 'zxx', 'nonsense', 'x']).tags).toEqual([])
})
