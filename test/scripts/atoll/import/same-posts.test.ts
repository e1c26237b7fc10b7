/**
 * Feeds as they are found, imported: what is said of them, and that they have the posts that the
 * original's rules give. The rules of the original are applied here in the slow, obvious way, block
 * after block or down the tree, to the records of a small world; what an import says is lost is
 * left out of them.
 */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { compile } from '../../../../feedgen/algorithm/compile.ts'
import { readDefinition, writeDefinition } from '../../../../feedgen/algorithm/read.ts'
import { rank } from '../../../../feedgen/engine/evaluate.ts'
import { importGraze } from '../../../../scripts/atoll/import/graze.ts'
import type { Imported } from '../../../../scripts/atoll/import/imported.ts'
import { importSkyfeed } from '../../../../scripts/atoll/import/skyfeed.ts'
import { MemoryFacts } from '../../../feedgen/engine/memory.ts'

// biome-ignore lint/suspicious/noExplicitAny: originals and records have any shape
type Any = any

interface Post {
  uri: string
  author: string
  record: Any
  hoursAgo: number
  likes: number
  repostedBy: string[]
}

const now = Date.parse('2026-11-20T12:00:00Z')
const [owner, ana, ben, cleo, bot] = ['owner', 'ana', 'ben', 'cleo', 'bot'].map(
  (name) => `did:plc:${name}`,
) as [string, string, string, string, string]
const BOTS = `at://${owner}/app.bsky.graph.list/bots`
const lists: Record<string, string[]> = { [BOTS]: [bot] }
const follows = [ana, cleo]
const followers = [ben]
const HELLTHREAD = 'at://did:plc:wgaezxqi2spqm3mhrb5xvkzi/app.bsky.feed.post/3juzlwllznd24'

const texts = [
  'A heron at the lake',
  'herons and egrets, all day',
  'HARBOUR CITY wins the regatta',
  'rowing club: go herons!',
  'the lake is frozen',
  'Ein heron, ganz nah',
  'lottery! cheap tickets',
  'a heron, and a lottery',
  'Café near the harbour',
  'lakeside',
  'word',
  '',
  'мы видели heron',
  'crypto at the lake',
]
const images = (...alts: string[]) => ({
  $type: 'app.bsky.embed.images',
  images: alts.map((alt) => ({ alt, image: { ref: 'blob' } })),
})
const card = (uri: string) => ({
  $type: 'app.bsky.embed.external',
  external: { uri, title: 'Page', description: '' },
})
const record = (uri: string) => ({ $type: 'app.bsky.embed.record', record: { uri } })
const quoted = `at://${cleo}/app.bsky.feed.post/old`
const embeds = [
  undefined,
  undefined,
  images('an egret'),
  images(''),
  images('a heron', ''),
  { $type: 'app.bsky.embed.video', video: { ref: 'blob' } },
  card('https://lake.example/a'),
  card('https://shop.example/?tag=abc'),
  record(quoted),
  record(`at://${cleo}/app.bsky.feed.generator/f`),
  { $type: 'app.bsky.embed.recordWithMedia', record: { record: { uri: quoted } }, media: images('a lake') },
]
const facets = [
  undefined,
  [{ features: [{ $type: 'app.bsky.richtext.facet#tag', tag: 'lakes' }] }],
  [{ features: [{ $type: 'app.bsky.richtext.facet#tag', tag: 'HarbourCity' }] }],
  [{ features: [{ $type: 'app.bsky.richtext.facet#tag', tag: 'herons' }] }],
  [{ features: [{ $type: 'app.bsky.richtext.facet#link', uri: 'https://shop.example/x?tag=abc' }] }],
]
const languages = [['en'], undefined, ['de'], ['en'], ['pt-BR'], []]
const labels = [undefined, undefined, undefined, ['spam'], ['porn']]

/**
 * A small world, the same each time, in which everything that originals ask about occurs with
 * everything else.
 */
function world(): { facts: MemoryFacts; posts: Post[] } {
  const facts = new MemoryFacts(now)
  let state = 42
  const any = <T>(values: readonly T[]): T => {
    state = (state * 1103515245 + 12345) % 2147483648
    return values[Math.floor((state / 2147483648) * values.length)] as T
  }
  facts.list(BOTS, [bot])
  for (const did of follows) facts.follow(owner, did)
  for (const did of followers) facts.follow(did, owner)
  const posts = Array.from({ length: 160 }, (): Post => {
    const author = any([ana, ben, cleo, bot])
    const hoursAgo = any([1, 3, 20, 23, 30, 47, 60, 90, 100, 150, 167, 200])
    const [root, vals] = [any([undefined, undefined, undefined, quoted, HELLTHREAD]), any(labels)]
    const fields = {
      text: any(texts),
      langs: any(languages),
      embed: any(embeds),
      facets: any(facets),
      ...(root && { reply: { root: { uri: root }, parent: { uri: root } } }),
      ...(vals && { labels: { values: vals.map((val) => ({ val })) } }),
    }
    const uri = facts.post(author, fields.text, { ...fields, hoursAgo } as Any)
    const likes = any([0, 0, 1, 2])
    facts.fans(likes, uri)
    const repostedBy = any([[], [], [], [ana], [cleo]])
    for (const did of repostedBy) facts.repost(did, uri)
    const createdAt = new Date(now - hoursAgo * 3_600_000).toISOString()
    const stored = JSON.parse(JSON.stringify({ ...fields, createdAt }))
    return { uri, author, record: stored, hoursAgo, likes, repostedBy }
  })
  return { facts, posts }
}

// --- what originals mean

const B =
  '(?:(?<=[\\p{L}\\p{M}\\p{N}_])(?![\\p{L}\\p{M}\\p{N}_])|(?<![\\p{L}\\p{M}\\p{N}_])(?=[\\p{L}\\p{M}\\p{N}_]))'
const regexOf = (pattern: string, ignoreCase = true) =>
  new RegExp(pattern.replace(/^\(\?i\)/, '').replaceAll('\\b', B), ignoreCase ? 'iu' : 'u')

const embedOf = ({ record: { embed } }: Post): Any => embed?.media ?? embed
const linksOf = ({ record: { embed, facets: all = [] } }: Post): string[] => [
  ...all.flatMap(({ features }: Any) => features.flatMap(({ uri }: Any) => uri ?? [])),
  ...(embed?.external ? [embed.external.uri] : []),
]
const tagsOf = ({ record: { facets: all = [] } }: Post): string[] =>
  all.flatMap(({ features }: Any) => features.flatMap(({ tag }: Any) => tag?.toLowerCase() ?? []))
const shownRecord = ({ record: { embed } }: Post): string =>
  embed?.record?.record?.uri ?? embed?.record?.uri ?? ''

function skyfeed(blocks: Any[], posts: Post[], lost: readonly string[]): Post[] {
  let kept: Post[] = []
  const stashes = new Map<string, Post[]>()
  const add = (more: Post[]) => kept.push(...more)
  const membersOf = (uri: string) => (uri === `list://${owner}/following` ? follows : (lists[uri] ?? []))
  for (const [i, block] of blocks.entries()) {
    if (lost.includes(`blocks[${i}]`)) continue
    const within = (seconds: number) => posts.filter(({ hoursAgo }) => hoursAgo * 3600 <= seconds)
    const remove = (isGone: (post: Post) => boolean) => {
      kept = kept.filter((post) => !isGone(post))
    }
    switch (`${block.type} ${block.inputType ?? block.subject ?? ''}`.trim()) {
      case 'input firehose':
        add(within(block.firehoseSeconds ?? 86_400))
        break
      case 'input did':
        for (const collection of block.collection.split('|'))
          add(
            posts.filter((post) =>
              collection === 'repost'
                ? post.repostedBy.includes(block.did)
                : post.author === block.did && (post.record.reply !== undefined) === (collection === 'reply'),
            ),
          )
        break
      case 'input list':
        add(
          within(block.historySeconds ?? 604_800).filter(({ author }) =>
            membersOf(block.listUri).includes(author),
          ),
        )
        break
      case 'input tags':
        add(
          within(block.historySeconds ?? 604_800).filter((post) =>
            block.tags.some((tag: string) => tagsOf(post).includes(tag.toLowerCase())),
          ),
        )
        break
      case 'remove item':
        if (block.value === 'reply') remove(({ record: { reply } }) => reply !== undefined)
        if (block.value === 'post') remove(({ record: { reply } }) => reply === undefined)
        if (block.value === 'hellthread') remove(({ record: { reply } }) => reply?.root.uri === HELLTHREAD)
        if (block.value === 'has_labels') remove(({ record }) => record.labels !== undefined)
        break
      case 'remove image_count': {
        const count = (post: Post) => embedOf(post)?.images?.length ?? 0
        remove((post) => (block.value === '2+' ? count(post) >= 2 : count(post) === Number(block.value)))
        break
      }
      case 'remove language': {
        const { language = 'en', operator = '!=' } = block
        remove(({ record: { langs } }) => ((langs?.[0] ?? 'en') === language) === (operator === '=='))
        break
      }
      case 'remove like_count':
        remove(({ likes }) => likes < block.value)
        break
      case 'remove list':
        remove(({ author }) => membersOf(block.listUri).includes(author))
        break
      case 'remove embed':
        remove((post) => shownRecord(post).includes('/app.bsky.feed.post/'))
        break
      case 'regex': {
        const regex = regexOf(block.value, block.caseSensitive !== true)
        const places: Record<string, (post: Post) => string> = {
          text: ({ record: { text } }) => text,
          alt_text: (post) => (embedOf(post)?.images ?? []).map(({ alt }: Any) => alt).join('|||'),
          link: (post) => linksOf(post).join('|||'),
        }
        const targets = (block.target ?? 'text').split('|')
        const matches = (post: Post) => targets.some((target: string) => regex.test(places[target]!(post)))
        remove((post) => matches(post) === (block.invert === true))
        break
      }
      case 'stash':
        if (block.action === 'pop') add(stashes.get(block.key) ?? [])
        else {
          stashes.set(block.key, kept)
          kept = []
        }
    }
  }
  return kept
}

const valuesAt = (value: Any, parts: string[]): Any[] => {
  const [part, ...rest] = parts
  if (part === undefined) return value === undefined ? [] : [value]
  const [, name, isAll] = /^(\w+)(\[\*\])?$/.exec(part) as Any
  const inner = value?.[name]
  return isAll ? (inner ?? []).flatMap((one: Any) => valuesAt(one, rest)) : valuesAt(inner, rest)
}

interface Losses {
  lost: readonly string[]
  changed: readonly string[]
}

function graze(node: Any, post: Post, at: string, losses: Losses): boolean | undefined {
  const { lost, changed } = losses
  const [name] = Object.keys(node).filter((key) => key !== 'metadata') as [string]
  const place = `${at}.${name}`
  if (lost.includes(place)) return undefined
  const args = node[name]
  const values = (variable: Any) => {
    const field = String(variable.var ?? variable)
    // An import says that it takes links for one, wherever they stand.
    return changed.includes(place) && field.endsWith('.uri')
      ? linksOf(post)
      : valuesAt(post.record, field.split('.'))
  }
  const word = (list: string[]) => (text: string) => list.some((one) => regexOf(`\\b${one}\\b`).test(text))
  const isIn = (operator: string, is: boolean) => (/not/.test(operator) ? !is : is)
  switch (name) {
    case 'and':
    case 'or': {
      const answers = args
        .map((child: Any, i: number) => graze(child, post, `${place}[${i}]`, losses))
        .filter((answer: Any) => answer !== undefined)
      if (answers.length === 0) return undefined
      return name === 'and' ? answers.every(Boolean) : answers.some(Boolean)
    }
    case 'not':
      return !graze(Array.isArray(args) ? args[0] : args, post, place, losses)
    case 'regex_matches':
      return values(args[0]).some((text) => regexOf(args[1], args[2] !== false).test(text))
    case 'regex_negation_matches':
      return !values(args[0]).some((text) => regexOf(args[1], args[2] !== false).test(text))
    case 'regex_any':
      return values(args[0]).some(word(args[1]))
    case 'regex_none':
      return !values(args[0]).some(word(args[1]))
    case 'embed_type':
      return embedOf(post)?.$type === `app.bsky.embed.${args[1]}`
    case 'post_type':
      return isIn(args[0], args[1].includes('reply') && post.record.reply !== undefined)
    case 'attribute_compare': {
      const [variable, operator, value] = args
      const found = values(variable)
      if (value === null) return (found.length === 0) === (operator === '==')
      if (operator === '>') return found.some((one) => one > value)
      return found.some((one) => JSON.stringify(one) === JSON.stringify(value)) === (operator === '==')
    }
    case 'entity_matches':
    case 'entity_excludes': {
      const has: Record<string, () => boolean> = {
        langs: () => (post.record.langs ?? []).some((lang: string) => args[1].includes(lang)),
        hashtags: () =>
          args[1].some((tag: string) => tagsOf(post).includes(tag.replace('#', '').toLowerCase())),
        domains: () => linksOf(post).some((link) => args[1].includes(new URL(link).hostname)),
        labels: () => (post.record.labels?.values ?? []).some(({ val }: Any) => args[1].includes(val)),
      }
      return has[args[0]]!() === (name === 'entity_matches')
    }
    case 'list_member':
      return isIn(args[1], lists[args[0]]!.includes(post.author))
    case 'social_graph':
      return isIn(args[1], (args[2] === 'followers' ? followers : follows).includes(post.author))
    default:
      throw new Error(`the test does not know ${name}`)
  }
}

// --- both

async function postsOf({ definition }: Imported, facts: MemoryFacts): Promise<string[]> {
  // What is left of them by an arrangement depends on their order, which is another matter.
  const { arrange: _, ...rest } = definition
  const plan = compile(readDefinition(writeDefinition(rest)))
  const { items } = await rank(plan, { facts, now })
  const uris = await facts.uris(items.map(({ id }) => id))
  return items.map(({ id }) => uris.get(id) as string).sort()
}

const folder = path.join(import.meta.dirname, 'fixtures')
const { facts, posts } = world()

test.for(readdirSync(folder).filter((name) => name.endsWith('.json')))('%s', async (name) => {
  const { original, lost, changed } = JSON.parse(readFileSync(path.join(folder, name), 'utf8'))
  const isGraze = name.startsWith('graze')
  const nobody = async () => undefined
  const imported = isGraze ? await importGraze(original, nobody) : await importSkyfeed(original, nobody)
  const of = (wanted: string) => imported.notes.filter(({ kind }) => kind === wanted).map(({ at }) => at)
  expect(of('lost')).toEqual(lost)
  expect(of('changed')).toEqual(changed)

  let expected: Post[]
  if (isGraze) {
    const manifest = original.algorithm_manifest ?? original.manifest ?? original
    const hours = manifest.sort_settings?.time_window ?? 48
    expected = posts.filter(
      (post) => post.hoursAgo <= hours && graze(manifest.filter, post, 'filter', { lost, changed }) !== false,
    )
  } else expected = skyfeed(original.blocks, posts, lost)
  const uris = [...new Set(expected.map(({ uri }) => uri))].sort()
  expect(await postsOf(imported, facts)).toEqual(uris)
  // A world in which a feed has nothing, or everything, would say little.
  expect(uris.length).toBeGreaterThan(0)
  expect(uris.length).toBeLessThan(posts.length)
})
