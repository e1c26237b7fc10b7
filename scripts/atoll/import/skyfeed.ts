/**
 * SkyFeed's builder: a list of blocks that a program goes through from the first to the last, each
 * of which changes the posts that there are. It stands in the feed's record as `skyfeedBuilder`.
 *
 * A definition has no such order: posts come from sources, and pass filters. So the program is run
 * here over sets of posts that are not there yet: each is a source with the filters that its posts
 * went through. At the end the filters that all sets have in common go for the whole definition,
 * and the others for the posts of their sets.
 */
import { BSKY_LABELER_DID } from '@atproto/api'
import type { Definition, Filter, Hop, Score, Source, Term } from '../../../feedgen/algorithm/definition.ts'
import { fitted } from './fit.ts'
import {
  all,
  type DidOf,
  dateOf,
  didOfName,
  ImportError,
  type Imported,
  isObject,
  type Json,
  Notes,
  not,
  text,
  texts,
  uriOf,
  windowHoursMax,
  windowOf,
} from './imported.ts'
import { filterOf, isReply, membersOf, noReplies } from './skyfeed-filters.ts'
import { scoreOf, termOf } from './skyfeed-score.ts'

const DAY_SECONDS = 86_400
const WEEK_SECONDS = 7 * DAY_SECONDS
/** The highest limit that a definition may have. */
const countMax = 1000

/** A source with the filters that its posts went through. */
interface Branch {
  source: Source
  where: readonly Filter[]
}

/** Where the program stands. */
interface State {
  posts: Branch[]
  stashes: Map<string, Branch[]>
  terms: Term[]
  score?: Score
  limit?: number
  perAuthor?: number
}

/**
 * Makes a definition of a feed's record with `skyfeedBuilder` in it, of the answer of `getRecord`,
 * or of the builder itself.
 * @throws ImportError when there is no such thing in it, or no source that could be carried over
 */
export async function importSkyfeed(document: unknown, didOf: DidOf): Promise<Imported> {
  const record = isObject(document) && isObject(document.value) ? document.value : document
  if (!isObject(record)) throw new ImportError('It is not an object.')
  const builder = isObject(record.skyfeedBuilder) ? record.skyfeedBuilder : record
  if (!Array.isArray(builder.blocks)) {
    throw new ImportError('It has no blocks: SkyFeed keeps them in the feed’s record, as skyfeedBuilder.')
  }
  const notes = new Notes()
  const state: State = { posts: [], stashes: new Map(), terms: [] }
  for (const [index, block] of builder.blocks.entries()) {
    const at = `blocks[${index}]`
    if (isObject(block)) await run(block, at, state, notes, didOf)
    else notes.lost(at, 'it is no block')
  }
  if (state.posts.length === 0) throw new ImportError('None of its inputs could be carried over.')
  return {
    definition: fitted({ ...definitionOf(state, notes), createdAt: dateOf(record.createdAt) }, notes),
    name: text(record.displayName) ?? text(builder.displayName),
    description: text(record.description),
    notes: notes.list,
  }
}

async function run(block: Json, at: string, state: State, notes: Notes, didOf: DidOf): Promise<void> {
  switch (block.type) {
    case 'input': {
      const branch = await inputOf(block, at, state, notes, didOf)
      if (branch) add(state.posts, branch)
      return
    }
    case 'remove':
    case 'keep':
    case 'regex': {
      if (block.subject === 'non_duplicates') return keepCommon(at, state, notes)
      const filter = await filterOf(block, at, notes, didOf)
      if (filter)
        state.posts = state.posts.map(({ source, where }) => ({ source, where: [...where, filter] }))
      if (state.limit !== undefined) notes.changed(at, 'it applies before the limit, not after it')
      return
    }
    case 'stash':
      return stash(block, at, state, notes)
    case 'replace':
      return replace(block, at, state, notes)
    case 'score': {
      const term = termOf(block, at, notes)
      if (term) state.terms.push(term)
      return
    }
    case 'sort':
      state.score = scoreOf(block, state.terms, at, notes) ?? state.score
      return
    case 'limit':
      if (block.limitType === 'posts_per_user') state.perAuthor = countOf(block.count, 5)
      else state.limit = countOf(block.count, 100)
      return
    default:
      notes.lostFilter(at, `a block of the type ${block.type} is not known`)
  }
}

async function inputOf(
  block: Json,
  at: string,
  { posts }: State,
  notes: Notes,
  didOf: DidOf,
): Promise<Branch | undefined> {
  const past = (seconds: unknown, preset: number): number => {
    const hours = (typeof seconds === 'number' ? seconds : preset) / 3600
    if (typeof seconds !== 'number') notes.assumed(at, `it looks back ${hours} hours, as SkyFeed does`)
    if (hours > windowHoursMax) notes.changed(at, `it looks back ${windowHoursMax} hours, not ${hours}`)
    return windowOf(hours)
  }
  const history = () => past(block.historySeconds, WEEK_SECONDS)
  const of = (source: Source, where: Filter[] = []): Branch => ({ source, where })
  const missing = (what: string): undefined => {
    notes.lost(at, `an input without ${what}`)
    return undefined
  }
  switch (block.inputType) {
    case 'firehose':
      return of({ kind: 'network', windowHours: past(block.firehoseSeconds, DAY_SECONDS) })
    case 'tags': {
      const tags = texts(block.tags)
      return tags.length > 0 ? of({ kind: 'tags', tags, windowHours: history() }) : missing('tags')
    }
    case 'list': {
      const members = await membersOf(block.listUri, didOf)
      return members ? of({ ...members, windowHours: history() }) : missing('a list that can be found')
    }
    case 'did': {
      const did = await didOfName(text(block.did) ?? '', didOf)
      if (!did) return missing('an account that can be found')
      notes.changed(at, `its posts of the last ${windowHoursMax} hours; SkyFeed takes all of them`)
      return accountOf(did, (text(block.collection) ?? 'post').split('|'), windowHoursMax)
    }
    case 'labels': {
      const val = texts(block.labels).map((label) => label.toLowerCase())
      if (val.length === 0) return missing('labels')
      notes.changed(at, 'labels of Bluesky’s own labeler: a definition names the labeler, SkyFeed does not')
      return of({ kind: 'labels', by: BSKY_LABELER_DID, val, windowHours: history() })
    }
    case 'feed': {
      const uri = await uriOf(text(block.feedUri) ?? '', 'app.bsky.feed.generator', didOf)
      if (uri === undefined) return missing('a feed that can be found')
      notes.changed(at, `the host that serves your feed has to serve ${uri} too`)
      return of({ kind: 'feed', uri })
    }
    case 'post': {
      const uri = await uriOf(text(block.postUri) ?? '', 'app.bsky.feed.post', didOf)
      return uri === undefined ? missing('a post that can be found') : of({ kind: 'posts', uris: [uri] })
    }
    case 'custom_likedweighted': {
      const uri = await uriOf(text(block.listUri) ?? '', 'app.bsky.graph.list', didOf)
      if (uri === undefined) return missing('a list that can be found')
      notes.changed(at, 'likes of people who like much are not worth less')
      return of({ kind: 'likedBy', set: { kind: 'list', uri }, windowHours: history() })
    }
    case 'custom_likedbylikers': {
      const uris = posts.flatMap(({ source }) => (source.kind === 'posts' ? source.uris : []))
      if (uris.length === 0) return missing('posts that are named')
      posts.length = 0
      return of({ kind: 'colikers', seed: { kind: 'posts', uris }, windowHours: history() })
    }
    default:
      notes.lost(at, `an input of the type ${block.inputType} is not known`)
      return undefined
  }
}

function accountOf(did: string, collections: string[], windowHours: number): Branch {
  if (collections.includes('like')) {
    return { source: { kind: 'likedBy', set: { kind: 'actors', dids: [did] }, windowHours }, where: [] }
  }
  const reposts = collections.includes('repost') && { reposts: true }
  const where = !collections.includes('reply')
    ? [noReplies]
    : collections.some((collection) => collection !== 'reply')
      ? []
      : [isReply]
  return { source: { kind: 'actors', dids: [did], windowHours, ...reposts }, where }
}

/** Adds a set of posts; accounts that are taken alike are one source. */
function add(posts: Branch[], { source, where }: Branch): void {
  const last = posts.at(-1)
  if (
    source.kind === 'actors' &&
    last?.source.kind === 'actors' &&
    last.source.windowHours === source.windowHours &&
    last.source.reposts === source.reposts &&
    last.where.length === where.length &&
    last.where.every((filter, index) => filter === where[index])
  ) {
    last.source.dids.push(...source.dids)
  } else posts.push({ source, where })
}

/** What is left when everything goes that is there only once: for two sets, what both have. */
function keepCommon(at: string, state: State, notes: Notes): void {
  const [first, second, ...others] = state.posts
  if (!first || !second || others.length > 0) {
    notes.lostFilter(at, 'what is there more than once, of other than two inputs')
    return
  }
  const source: Source = { kind: 'intersect', of: [first.source, second.source] }
  state.posts = [{ source, where: [...new Set([...first.where, ...second.where])] }]
}

function countOf(value: unknown, preset: number): number {
  return typeof value === 'number' ? Math.min(Math.max(Math.trunc(value), 1), countMax) : preset
}

function stash(block: Json, at: string, state: State, notes: Notes): void {
  const key = String(block.key)
  const action = text(block.action) ?? 'stash'
  if (action === 'stash') {
    state.stashes.set(key, state.posts)
    state.posts = []
    return
  }
  const stashed = state.stashes.get(key)
  if (!stashed) notes.lostFilter(at, `nothing was stashed as ${key}`)
  else if (action === 'pop') state.posts.push(...stashed)
  else if (action === 'subtract') subtract(stashed, at, state, notes)
  else notes.lost(at, `${action} of a stash is not known`)
}

function subtract(taken: Branch[], at: string, state: State, notes: Notes): void {
  const members = taken.map(({ source, where }) => {
    const member = memberOf(source, windowHoursMax)
    return member && [...member, ...where]
  })
  if (members.every((member) => member !== undefined)) {
    const filter = not({ kind: 'any', of: members.map((member) => all(member) ?? { kind: 'all', of: [] }) })
    state.posts = state.posts.map(({ source, where }) => ({ source, where: [...where, filter] }))
  } else if (taken.every(({ where }) => where.length === 0)) {
    const take = taken.map(({ source }) => source)
    state.posts = state.posts.map(({ source, where }) => ({
      source: { kind: 'minus', from: [source], take },
      where,
    }))
  } else notes.lostFilter(at, 'taking away what filters let through of a source that posts do not tell')
}

const hops = new Map<string, Hop>([
  ['parent', 'parent'],
  ['root', 'root'],
  ['record', 'quoted'],
  ['direct_replies', 'replies'],
  ['all_replies', 'replies'],
  ['quote_posts', 'quotes'],
])

function replace(block: Json, at: string, state: State, notes: Notes): void {
  const target = text(block.with) ?? 'parent'
  const to = hops.get(target)
  if (!to) {
    notes.lost(at, `replacing posts with ${target} is not known`)
    return
  }
  if (target === 'all_replies') notes.changed(at, 'direct replies only')
  if (state.posts.some(({ where }) => where.length > 0)) {
    notes.lostFilter(at, 'the filters before it: posts are replaced as they come from their sources')
  }
  if (['parent', 'root', 'quoted'].includes(to) && block.keepItemsWithMissingTarget !== false) {
    notes.changed(at, `posts without a ${to} do not stay`)
  }
  const of = unique(state.posts.map(({ source }) => source))
  state.posts = [{ source: { kind: 'hop', to, of }, where: [] }]
}

function definitionOf(state: State, notes: Notes): Definition {
  const { score, limit, perAuthor } = state
  const { posts, byHand } = apart(state.posts, notes)
  const where = whereOf(posts, notes)
  const arrange = {
    ...(perAuthor !== undefined && { perAuthor: { max: perAuthor } }),
    ...(limit !== undefined && { limit }),
  }
  return {
    sources: unique(posts.map(({ source }) => source)),
    ...(where && { where }),
    ...(score && { score }),
    ...(Object.keys(arrange).length > 0 && { arrange }),
    ...(byHand.length > 0 && { place: { manualAdd: byHand } }),
    createdAt: new Date().toISOString(),
  }
}

/**
 * Single posts that passed other filters than the rest are put in by hand: no filter tells them
 * from the others.
 */
function apart(posts: Branch[], notes: Notes): { posts: Branch[]; byHand: string[] } {
  const [first] = posts
  const isAlike = posts.every(
    ({ where }) =>
      where.length === first?.where.length && where.every((filter) => first.where.includes(filter)),
  )
  const named = posts.filter(({ source }) => source.kind === 'posts')
  if (isAlike || named.length === posts.length) return { posts, byHand: [] }
  const filtered = named.some(({ where }) => where.length > 0)
  if (filtered) notes.changed('blocks', 'single posts are put in by hand, and no filter is asked about them')
  return {
    posts: posts.filter(({ source }) => source.kind !== 'posts'),
    byHand: named.flatMap(({ source }) => (source.kind === 'posts' ? source.uris : [])),
  }
}

function whereOf(posts: Branch[], notes: Notes): Filter | undefined {
  const [first, ...others] = posts
  const common = (first?.where ?? []).filter((filter) => others.every(({ where }) => where.includes(filter)))
  const rests = posts.map(({ source, where }) => ({
    source,
    rest: where.filter((filter) => !common.includes(filter)),
  }))
  if (rests.every(({ rest }) => rest.length === 0)) return all(common)
  const widest = Math.max(...posts.map(({ source }) => ('windowHours' in source ? source.windowHours : 0)))
  const either = rests.map(({ source, rest }): Filter => {
    const member = memberOf(source, widest)
    // Of posts that do not show where they come from, nothing keeps those of the other inputs
    // apart.
    if (!member)
      notes.lostFilter(
        'blocks',
        `the filters of the other inputs: posts of the input ${source.kind} are not told from theirs`,
      )
    return all([...(member ?? []), ...rest]) ?? { kind: 'all', of: [] }
  })
  return all([...common, { kind: 'any', of: either }])
}

/** What a post of a source is known by; undefined when it does not show. */
function memberOf(source: Source, widestHours: number): Filter[] | undefined {
  const age = (hours: number): Filter[] => (hours < widestHours ? [{ kind: 'age', hoursMax: hours }] : [])
  switch (source.kind) {
    case 'network':
      return age(source.windowHours)
    case 'tags':
      return [{ kind: 'tag', any: source.tags }, ...age(source.windowHours)]
    case 'list':
      return [{ kind: 'author', in: { kind: 'list', uri: source.uri } }, ...age(source.windowHours)]
    case 'graph':
      return [
        { kind: 'author', in: { kind: 'graph', of: source.of, edge: source.edge } },
        ...age(source.windowHours),
      ]
    case 'actors':
      return [{ kind: 'author', in: { kind: 'actors', dids: source.dids } }, ...age(source.windowHours)]
    case 'labels':
      return [{ kind: 'label', any: source.val, by: [source.by] }, ...age(source.windowHours)]
    default:
      return undefined
  }
}

function unique(sources: readonly Source[]): Source[] {
  return [...new Map(sources.map((source) => [JSON.stringify(source), source])).values()]
}
