/**
 * Each worked example over a small world in which it has something to find and something to leave
 * out.
 */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { overBounds } from '../../../feedgen/algorithm/bounds.ts'
import { compile } from '../../../feedgen/algorithm/compile.ts'
import { totalOf } from '../../../feedgen/algorithm/cost.ts'
import { readDefinition, writeDefinition } from '../../../feedgen/algorithm/read.ts'
import { decide } from '../../../feedgen/algorithm/rule.ts'
import { rank, show } from '../../../feedgen/engine/evaluate.ts'
import { run } from '../../../feedgen/engine/jobs.ts'
import { HOUR_MS, MemoryFacts } from '../engine/memory.ts'

/** The preset of FEEDGEN_DEFINITION_COST_MAX. */
const COST_MAX = 500
const folder = path.resolve(import.meta.dirname, '../../../feedgen/feeds/examples')
const now = Date.parse('2026-11-20T12:00:00Z')
const [me, ana, ben, cleo, dan] = ['me', 'ana', 'ben', 'cleo', 'dan'].map(
  (name) => `did:web:${name}.example`,
) as [string, string, string, string, string]
const labeler = 'did:web:labels.example'

function read(name: string) {
  return JSON.parse(readFileSync(path.join(folder, `${name}.json`), 'utf8'))
}

/**
 * What the example shows the viewer: of what was taken in as it came by, and of the past searched;
 * they must agree.
 */
async function feed(name: string, facts: MemoryFacts, change: (record: never) => void = () => {}) {
  const record = read(name)
  change(record as never)
  const plan = compile(readDefinition(record))
  const shownBy = async (definition?: number) => {
    const question = { facts, now, viewer: me, definition }
    const { items } = await show(plan, (await rank(plan, question)).items, question)
    const uris = await facts.uris(items.map(({ id }) => id))
    return items.map(({ id }) => uris.get(id) as string)
  }
  const { intake } = plan
  if (intake) facts.takeIn(1, (features) => decide(intake, features) !== false)
  const shown = await shownBy(1)
  expect(await shownBy()).toEqual(shown)
  return shown
}

const image = (cid: string) => ({ alt: '', image: { ref: cid } })
const images = (...cids: string[]) => ({ $type: 'app.bsky.embed.images', images: cids.map(image) })
const video = { $type: 'app.bsky.embed.video', video: { ref: 'video' } }
const card = (uri: string, title = '') => ({ $type: 'app.bsky.embed.external', external: { uri, title } })

/** For each example a world and what is to be seen of it, in order. */
const worlds: Record<string, (facts: MemoryFacts) => { shown: string[]; change?: (record: never) => void }> =
  {
    topic(w) {
      const word = w.post(ana, 'A new NEBULA, seen tonight')
      const phrase = w.post(ben, 'The space telescope works')
      const tag = w.post(cleo, 'Look up', { tags: ['AstroPhotography'], hoursAgo: 2 })
      const alt = w.post(dan, '', {
        embed: { $type: 'app.bsky.embed.images', images: [{ alt: 'an exoplanet', image: {} }] },
        hoursAgo: 3,
      })
      w.post(ana, 'Space: the telescope')
      w.post(ana, 'nebulae are another word')
      w.post(ben, 'exoplanet!', { replyTo: word })
      w.fans(3, alt)
      // Of ben and ana's fresh posts the one that was answered is worth more.
      return { shown: [alt, word, phrase, tag] }
    },
    tag(w) {
      const older = w.post(ana, 'one', { tags: ['booksky'], hoursAgo: 5 })
      const newer = w.post(ana, 'two', {
        facets: [{ features: [{ $type: 'app.bsky.richtext.facet#tag', tag: 'BookSky' }] }],
      })
      w.post(ana, 'booksky without its sign')
      w.post(ana, 'too old', { tags: ['booksky'], hoursAgo: 400 })
      return { shown: [newer, older] }
    },
    'community-list'(w) {
      w.list('at://did:web:ana.example/app.bsky.graph.list/gardeners', [ana, ben])
      const older = w.post(ana, 'tomatoes', { hoursAgo: 4 })
      const newer = w.post(ben, 'beans')
      w.post(ben, 'an answer', { replyTo: older })
      w.post(cleo, 'not a member')
      return { shown: [newer, older] }
    },
    photographers(w) {
      const one = w.post(ana, '', { embed: images('1'), hoursAgo: 1 })
      const two = w.post(ana, '', { embed: images('2'), hoursAgo: 2 })
      const three = w.post(ben, '', { embed: images('3'), hoursAgo: 3 })
      w.post(ana, 'no picture')
      w.post(ben, '', { embed: images('4'), labels: { values: [{ val: 'nudity' }] } })
      const theirs = w.post(cleo, '', { embed: images('5'), hoursAgo: 90 })
      w.post(cleo, '', { embed: images('6') })
      w.repost(ben, theirs, 4)
      // The gap keeps ana's two apart.
      return { shown: [one, three, two, theirs] }
    },
    'quiet-posters'(w) {
      for (const did of [ana, ben]) w.follow(me, did)
      for (let i = 0; i < 5; i++) w.post(ana, `again ${i}`, { hoursAgo: 10 + i })
      const last = w.post(ana, 'and again', { hoursAgo: 5 })
      const rare = w.post(ben, 'hello after a while', { hoursAgo: 20 })
      w.post(cleo, 'unknown to me')
      return { shown: [rare, last] }
    },
    'popular-with-friends'(w) {
      w.follow(me, ana)
      w.follow(me, ben)
      const both = w.post(cleo, 'liked by two friends and many')
      const one = w.post(dan, 'liked by a friend')
      const seen = w.post(dan, 'seen already')
      const mine = w.post(me, 'my own')
      const blocked = w.post('did:web:troll.example', 'of one I block')
      for (const uri of [both, one, seen, mine, blocked]) w.like(ana, uri)
      w.like(ben, both)
      w.fans(10, both)
      w.fans(50, w.post(cleo, 'liked by many, and none of them my friends'))
      w.see(me, seen)
      w.block(me, 'did:web:troll.example')
      const already = w.post(cleo, 'liked by me too')
      w.like(ana, already)
      w.like(me, already)
      return { shown: [both, one] }
    },
    'replies-worth-reading'(w) {
      const post = w.post(ana, 'what do you think?', { langs: ['en'] })
      const best = w.post(ben, 'this', { replyTo: post, langs: ['en-GB'] })
      const good = w.post(cleo, 'and that', { replyTo: post, langs: ['en'] })
      const other = w.post(dan, 'elsewhere', {
        replyTo: w.post(dan, 'root'),
        langs: ['en'],
        hoursAgo: 2,
      })
      w.fans(9, best)
      w.fans(5, good)
      w.fans(4, other)
      w.fans(2, w.post(dan, 'few like it', { replyTo: post, langs: ['en'] }))
      w.fans(9, w.post(dan, 'auf Deutsch', { replyTo: post, langs: ['de'] }))
      w.fans(9, w.post(dan, 'with a picture', { replyTo: post, langs: ['en'], embed: images('1') }))
      // One of a thread.
      return { shown: [best, other] }
    },
    gallery(w) {
      const three = w.post(ana, '', { embed: images('1', '2', '3'), hoursAgo: 2 })
      const four = w.post(ana, '', { embed: images('4', '5', '6', '7'), hoursAgo: 3 })
      w.post(ana, '', { embed: images('8', '9', '10'), hoursAgo: 4 })
      w.post(ben, 'stolen', { embed: images('1', '2', '3'), hoursAgo: 1 })
      w.post(ben, '', { embed: images('1', '2') })
      w.fans(2, four)
      return { shown: [four, three] }
    },
    'one-language'(w) {
      const dids = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => `did:web:${name}.example`)
      const liked = dids.slice(0, 5).map((did, i) => {
        const uri = w.post(did, 'bom dia', { langs: [i % 2 ? 'pt' : 'pt-BR'], hoursAgo: 3 })
        w.fans(9 - i, uri)
        return uri
      })
      const fresh = w.post(dids[5] as string, 'agora', { langs: ['pt'], hoursAgo: 0 })
      w.post(ana, 'good day', { langs: ['en'] })
      w.post(ana, 'nobody says in what')
      // The fifth place is for what is new.
      return { shown: [...liked.slice(0, 4), fresh, liked[4] as string] }
    },
    'for-you'(w) {
      w.follow(me, ana)
      const mine = w.post(ben, 'I like this')
      const close = w.post(cleo, 'those who like it like this too')
      const far = w.post(dan, 'one of them does')
      const friend = w.post(ana, 'by one I follow', { hoursAgo: 2 })
      w.fans(100, w.post(dan, 'all the world likes it, but not those'))
      w.like(me, mine)
      for (const twin of ['did:web:x.example', 'did:web:y.example']) {
        w.like(twin, mine)
        w.like(twin, close)
      }
      w.like('did:web:x.example', far)
      const seen = w.post(cleo, 'I saw it')
      w.like('did:web:y.example', seen)
      w.see(me, seen)
      return { shown: [close, far, friend] }
    },
    hot(w) {
      const ignored = w.post(ana, 'nobody cares', { hoursAgo: 0 })
      const liked = w.post(ana, 'liked', { hoursAgo: 1 })
      const reposted = w.post(ana, 'passed on', { hoursAgo: 1 })
      const faded = w.post(ana, 'long ago', { hoursAgo: 24 })
      w.like(ben, liked)
      w.repost(ben, reposted)
      w.fans(2, faded)
      w.post(ben, 'an answer', { replyTo: faded, hoursAgo: 0 })
      return { shown: [reposted, liked, ignored, faded] }
    },
    videos(w) {
      const one = w.post(ana, '', { embed: video })
      w.post(ana, '', { embed: { ...video, presentation: 'gif' } })
      w.post(ana, '', { embed: images('1') })
      const beside = w.post(ben, '', {
        hoursAgo: 2,
        embed: { $type: 'app.bsky.embed.recordWithMedia', record: { record: { uri: one } }, media: video },
      })
      return { shown: [one, beside] }
    },
    newcomers(w) {
      w.know(ana, { createdAt: now - 100 * HOUR_MS, followers: 3 })
      w.know(ben, { createdAt: now - 100 * HOUR_MS, followers: 5000 })
      w.know(cleo, { createdAt: now - 9000 * HOUR_MS, followers: 3 })
      w.post(ana, 'hello, again', { tags: ['newhere'], hoursAgo: 3 })
      const hello = w.post(ana, 'hello', { tags: ['Introduction'] })
      w.post(ana, 'an answer', { tags: ['newhere'], replyTo: hello })
      for (const other of [ben, cleo, dan]) w.post(other, 'hello', { tags: ['newhere'] })
      return { shown: [hello] }
    },
    news(w) {
      const story = w.post(ana, '', { embed: card('https://www.example.com/story') })
      const other = w.post(ben, '', { embed: card('https://live.news.example.org/x'), hoursAgo: 2 })
      w.post(cleo, '', { embed: card('https://www.example.com/story'), hoursAgo: 3 })
      w.post(cleo, '', { embed: card('https://notexample.com/story') })
      w.post(cleo, 'example.com in words only')
      w.fans(1, story)
      return { shown: [story, other] }
    },
    questions(w) {
      const open = w.post(ana, 'WHY is the sky blue?', { tags: ['ask'] })
      const answered = w.post(ana, 'who knows?', { tags: ['help'] })
      for (let i = 0; i < 3; i++) w.post(ben, 'me', { replyTo: answered })
      w.post(ana, 'the sky is blue', { tags: ['ask'] })
      w.post(ana, 'why, without a tag?')
      return { shown: [open] }
    },
    calm(w) {
      w.follow(me, ana)
      const quiet = w.post(ana, 'a walk in the woods')
      const theirs = w.post(ben, 'ducks', { hoursAgo: 30 })
      w.repost(ana, theirs, 2)
      w.post(ana, 'the Election')
      w.post(ana, '', { embed: card('https://example.com', 'Breaking news!') })
      w.label(labeler, w.post(ana, 'hidden politics'), 'politics')
      w.label(labeler, w.post(ana, 'look at this'), 'outrage')
      w.label('did:web:other.example', quiet, 'outrage')
      return { shown: [quiet, theirs] }
    },
    'starter-pack'(w) {
      w.list('at://did:web:ana.example/app.bsky.graph.starterpack/weavers', [ana, ben])
      w.post(ana, 'too fresh', { hoursAgo: 0 })
      const only = w.post(ana, 'a loom', { hoursAgo: 2 })
      w.post(cleo, 'not in the pack', { hoursAgo: 2 })
      w.post(ben, 'an answer', { hoursAgo: 2, replyTo: only })
      return { shown: [only] }
    },
    'quoted-by-friends'(w) {
      w.follow(me, ana)
      w.follow(ana, me)
      w.follow(me, ben)
      const twice = w.post(cleo, 'quoted twice', { hoursAgo: 300 })
      const once = w.post(dan, 'quoted once')
      w.post(ana, 'look', { quote: twice })
      w.post(ana, 'look again', { quote: twice })
      w.post(ana, 'and this', { quote: once })
      w.post(ana, 'a friend', { quote: w.post(ben, 'followed anyway') })
      w.post(ben, 'no mutual', { quote: w.post(dan, 'quoted by one who does not follow me') })
      w.post(ana, 'mine', { quote: w.post(me, 'my own') })
      return { shown: [twice, once] }
    },
    curated(w) {
      const chosen = w.post(ana, 'chosen', { hoursAgo: 9000 })
      const removed = w.post(ben, 'chosen and thought better of')
      const pin = w.post(ana, 'read this first', { hoursAgo: 5000 })
      const liked = w.post(dan, 'the curator likes it')
      for (const uri of [liked, removed]) w.like('did:web:curator.example', uri)
      w.post(dan, 'nobody chose it')
      const change = (record: { sources: { uris: string[] }[]; place: object }) => {
        Object.assign(record.sources[0] as object, { uris: [chosen, removed] })
        record.place = { pin, manualRemove: [removed] }
      }
      return { shown: [pin, liked, chosen], change: change as never }
    },
    labelled(w) {
      const owl = w.post(ana, '', { embed: images('1') })
      w.label(labeler, owl, 'owl')
      w.label(labeler, w.post(ana, 'words about an owl'), 'owl')
      w.label(labeler, w.post(ana, '', { embed: images('2') }), 'cat')
      w.label('did:web:other.example', w.post(ana, '', { embed: images('3') }), 'owl')
      return { shown: [owl] }
    },
    'half-and-half'(w) {
      w.follow(me, ana)
      const friend = [1, 2, 3].map((hoursAgo) => w.post(ana, 'hello', { hoursAgo }))
      const music = [4, 5].map((hoursAgo) => w.post(ben, 'a song', { tags: ['music'], hoursAgo }))
      w.post(ben, 'no song')
      const [a, b, c] = friend as [string, string, string]
      const [x, y] = music as [string, string]
      return { shown: [a, b, x, c, y] }
    },
  }

test('every example has its test, and there are twenty-one', () => {
  const names = readdirSync(folder).map((name) => path.basename(name, '.json'))
  expect(names.sort()).toEqual(Object.keys(worlds).sort())
  expect(names.length).toBe(21)
})

test.for(Object.keys(worlds))('%s', async (name) => {
  const facts = new MemoryFacts(now)
  const { shown, change } = worlds[name]!(facts)
  expect(await feed(name, facts, change)).toEqual(shown)
})

test.for(Object.keys(worlds))('%s is read whole, and written as it was', (name) => {
  const record = read(name)
  expect(writeDefinition(readDefinition(record))).toEqual(record)
})

test.for(Object.keys(worlds))(
  '%s is previewed, explained, run over the past and within bounds',
  async (name) => {
    const facts = new MemoryFacts(now)
    const { shown, change } = worlds[name]!(facts)
    const record = read(name)
    change?.(record as never)
    const definition = readDefinition(record)
    expect(overBounds(definition)).toBeUndefined()
    expect(totalOf(compile(definition).cost)).toBeLessThanOrEqual(COST_MAX)
    const asked = { definition, viewer: me, now }
    const { items } = await run({ kind: 'preview', limit: 100, ...asked } as const, facts)
    expect(items.map(({ post }) => post)).toEqual(shown)
    for (const post of shown)
      expect(await run({ kind: 'explain', post, ...asked } as const, facts)).toMatchObject({ present: true })
    const { hours } = await run({ kind: 'backtest', hours: 24, ...asked } as const, facts)
    expect(hours).toHaveLength(24)
  },
)
