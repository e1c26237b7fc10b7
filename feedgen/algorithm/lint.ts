/** What of a valid definition does something else than its creator may think, or nothing at all. */

import { compile, isActorSet, type Plan, sourcesIn } from './compile.ts'
import { totalOf } from './cost.ts'
import type { Definition, Filter, Source } from './definition.ts'
import { collections, constantOf, ofOneFilter, ofSet, ofTags, ofUri } from './lint-filters.ts'
import { InvalidDefinitionError } from './read.ts'
import { COMPARED_FILTERS_MAX, type Reach, saying, type Verdict, verdictsOf } from './verdicts.ts'
import type { Warning } from './warning.ts'

/** As many are told at once. */
export const WARNINGS_MAX = 100

/**
 * What a creator should know before a definition is published.
 * @param host `knowsAccounts`: whether it asks an AppView about authors; `retentionHours`: how long
 * it keeps posts that no feed needs
 */
export function warningsOf(
  definition: Definition,
  { knowsAccounts = true, retentionHours }: { knowsAccounts?: boolean; retentionHours?: number } = {},
): Warning[] {
  const ofWhere = [...ofFilters(definition)]
  const isEmpty = ofWhere.some(({ path, kind }) => path === 'where' && kind === 'never')
  const found = [
    ...ofSources(definition),
    ...(retentionHours === undefined ? [] : ofRetention(definition, retentionHours)),
    ...ofWhere,
    ...(knowsAccounts ? [] : ofAccounts(definition)),
    ...ofArrangement(definition),
    ...ofPlacement(definition),
    ...(isEmpty ? [] : cheaper(definition)),
  ]
  const kept = found.length > WARNINGS_MAX ? found.slice(0, WARNINGS_MAX - 1) : found
  const warnings = kept.map(({ says, ...rest }): Warning => ({ ...rest, says: cut(says) }))
  const left = found.length - kept.length
  return left > 0 ? [...warnings, { path: '', kind: 'unknown', says: `has ${left} warnings more` }] : warnings
}

/** What is quoted in a warning may be long. */
const SAYS_CHARACTERS_MAX = 400

function cut(text: string): string {
  const characters = [...text]
  if (characters.length <= SAYS_CHARACTERS_MAX) return text
  return `${characters.slice(0, SAYS_CHARACTERS_MAX).join('')}…`
}

// --- sources

function* ofSources({ sources }: Definition): Generator<Warning> {
  const all = [...sourcesIn(sources, 'sources')]
  for (const { source, path } of all) yield* ofSource(source, path)
  const first = new Map<string, string>()
  for (const [i, source] of sources.entries()) {
    const says = JSON.stringify(source)
    const path = `sources/${i}`
    const same = first.get(says)
    if (same !== undefined) yield { path, kind: 'noEffect', says: `says the same as ${same}` }
    else first.set(says, path)
    const wide = sources.findIndex(
      (other) =>
        other.kind === 'network' && source.kind === 'tags' && other.windowHours >= source.windowHours,
    )
    if (wide >= 0)
      yield { path, kind: 'noEffect', says: `brings nothing more: sources/${wide} brings every post` }
  }
}

function* ofSource(source: Source, path: string): Generator<Warning> {
  switch (source.kind) {
    case 'tags':
      yield* ofTags(source.tags, `${path}/tags`)
      break
    case 'list':
    case 'starterPack':
    case 'feed':
      yield* ofUri(source.uri, `${path}/uri`, collections[source.kind])
      break
    case 'actors':
      yield* ofSet(source, path)
      break
    case 'posts':
      for (const [i, uri] of source.uris.entries()) yield* ofUri(uri, `${path}/uris/${i}`, collections.post)
      break
    case 'colikers':
      if (source.seed.kind === 'posts')
        for (const [i, uri] of source.seed.uris.entries())
          yield* ofUri(uri, `${path}/seed/uris/${i}`, collections.post)
      break
    case 'likedBy':
      yield* ofSet(source.set, `${path}/set`)
      break
    case 'hop':
      if (source.to === 'self' && source.where === undefined)
        yield { path, kind: 'noEffect', says: 'is the same as its sources: it has no "where"' }
      break
    case 'minus': {
      const taken = new Set(source.take.map((part) => JSON.stringify(part)))
      if (source.from.every((part) => taken.has(JSON.stringify(part))))
        yield { path, kind: 'never', says: 'takes away all that it has, so it brings no post' }
      break
    }
    case 'intersect':
      if (new Set(source.of.map((part) => JSON.stringify(part))).size === 1)
        yield {
          path: `${path}/of`,
          kind: 'noEffect',
          says: 'is one source: what it has in common with itself is all of it',
        }
  }
}

/**
 * Windows that reach back further than posts are kept. Posts that a source matches as they come are
 * kept for its window; the others, which are found by their authors, lists or likes, only as long
 * as the host keeps any post.
 */
function* ofRetention(definition: Definition, retentionHours: number): Generator<Warning> {
  const intakes = compiled(definition)?.intakes
  for (const { source, path } of sourcesIn(definition.sources, 'sources')) {
    if (!('windowHours' in source) || source.windowHours <= retentionHours) continue
    if (intakes?.get(source)?.wanted !== undefined) continue
    yield {
      path: `${path}/windowHours`,
      kind: 'noEffect',
      says: `is longer than this host keeps the posts of such a source: those older than ${retentionHours} hours are missing`,
    }
  }
}

function reachOf(sources: readonly Source[]): Reach {
  return {
    reposts: sources.some((source) => source.kind === 'feed' || repostsIn(source)),
    hoursMax: hoursOf(sources),
  }
}

function repostsIn(source: Source): boolean {
  if (source.kind === 'minus') return source.from.some((part) => part.kind === 'feed' || repostsIn(part))
  if (source.kind === 'intersect') return source.of.some((part) => part.kind === 'feed' || repostsIn(part))
  return isActorSet(source) && source.reposts === true
}

/** How old the oldest post may be that these bring; undefined when it may be of any age. */
function hoursOf(sources: readonly Source[]): number | undefined {
  const each = sources.map((source) => {
    if (source.kind === 'minus') return hoursOf(source.from)
    if (source.kind === 'hop' && source.to === 'self') return hoursOf(source.of)
    if (source.kind === 'intersect') {
      const known = source.of.flatMap((part) => hoursOf([part]) ?? [])
      return known.length > 0 ? Math.min(...known) : undefined
    }
    const isOfPosts = ['network', 'tags', 'likedBy', 'colikers'].includes(source.kind) || isActorSet(source)
    return isOfPosts && 'windowHours' in source && !repostsIn(source) ? source.windowHours : undefined
  })
  return each.some((hours) => hours === undefined) ? undefined : Math.max(...(each as number[]))
}

// --- filters

function* ofFilters({ sources, where, arrange }: Definition): Generator<Warning> {
  const reach = reachOf(sources)
  if (where) {
    const { verdict, warnings, isTold } = lintFilter(where, 'where', reach)
    yield* warnings
    if (verdict && !isTold)
      yield {
        path: 'where',
        kind: verdict,
        says: verdict === 'never' ? 'so no post is left' : 'so every post stays',
      }
  }
  for (const { source, path } of sourcesIn(sources, 'sources')) {
    if (source.kind !== 'hop' || source.where === undefined) continue
    const { verdict, warnings, isTold } = lintFilter(source.where, `${path}/where`, reachOf(source.of))
    yield* warnings
    if (verdict === 'never' && !isTold) yield { path, kind: 'never', says: 'so it starts from no post' }
  }
  let full: string | undefined
  for (const [i, lane] of (arrange?.mix?.lanes ?? []).entries()) {
    const path = `arrange/mix/lanes/${i}`
    const { verdict, warnings, isTold } = lintFilter(lane.where, `${path}/where`, reach)
    yield* warnings
    if (full !== undefined) yield { path, kind: 'never', says: `is empty: every post is in ${full} already` }
    else if (verdict === 'never' && !isTold) yield { path, kind: 'never', says: 'so the lane is empty' }
    if (verdict === 'always') full ??= path
  }
}

/** Questions about accounts, where nobody is asked about them. */
function* ofAccounts({ where, arrange }: Definition): Generator<Warning> {
  const roots = [
    ...(where ? [{ root: where, path: 'where' }] : []),
    ...(arrange?.mix?.lanes ?? []).map((lane, i) => ({
      root: lane.where,
      path: `arrange/mix/lanes/${i}/where`,
    })),
  ]
  for (const { root, path } of roots)
    for (const { filter, path: at } of pathsIn(root, path))
      if (filter.kind === 'account')
        yield {
          path: at,
          kind: 'unknown',
          says: 'cannot be told here: this host asks no AppView about accounts, so posts that depend on it are left out',
        }
}

interface Linted {
  readonly warnings: Warning[]
  readonly verdict: Verdict | undefined
  /** Whether the verdict on the whole is among the warnings. */
  readonly isTold: boolean
}

function lintFilter(root: Filter, rootPath: string, reach: Reach): Linted {
  const placed = [...pathsIn(root, rootPath)]
  const warnings: Warning[] = placed.flatMap(({ filter, path }) => [
    ...ofOneFilter(filter, path),
    ...ofRepeated(filter, path),
  ])
  if (placed.length > COMPARED_FILTERS_MAX) {
    const says = `has more than ${COMPARED_FILTERS_MAX} filters, which are not compared with each other`
    return {
      warnings: [...warnings, { path: rootPath, kind: 'unknown', says }],
      verdict: undefined,
      isTold: true,
    }
  }
  const verdicts = verdictsOf(root, reach, constantOf)
  const told = new Set(warnings.map(({ path }) => path))
  for (const { filter, path } of placed) {
    const verdict = verdicts.get(filter)
    if (verdict === undefined || isExplained(filter, verdicts)) continue
    // What was said of its values says it too.
    if ([...told].some((said) => said === path || said.startsWith(`${path}/`)) && isLeaf(filter)) continue
    if (filter.kind !== 'not' && !isLeaf(filter) && filter.of.length === 0) continue
    warnings.push({ path, kind: verdict, says: `${reasonOf(filter, verdict, reach)}` })
    told.add(path)
  }
  return { warnings, verdict: verdicts.get(root), isTold: told.has(rootPath) }
}

/** Whether a filter is what it is because of one within it. */
function isExplained(filter: Filter, verdicts: ReadonlyMap<Filter, Verdict>): boolean {
  if (filter.kind === 'not') return true
  if (filter.kind !== 'all' && filter.kind !== 'any') return false
  const decisive: Verdict = filter.kind === 'all' ? 'never' : 'always'
  const parts = filter.of.map((part) => verdicts.get(part))
  if (parts.includes(decisive)) return true
  return parts.length > 0 && parts.every((part) => part !== undefined)
}

function reasonOf(filter: Filter, verdict: Verdict, { reposts, hoursMax }: Reach): string {
  const holds = verdict === 'never' ? 'is never true' : 'is always true'
  switch (filter.kind) {
    case 'all':
      return 'is never true: its parts exclude each other'
    case 'any':
      return 'is always true: one or the other of its parts is'
    case 'type':
      return verdict === 'never' && !reposts && filter.any.every((type) => type === 'repost')
        ? `${holds}: no source brings reposts ("reposts": true)`
        : holds
    case 'media': {
      const { countMin = 0, countMax } = filter
      if (countMax !== undefined && countMin > countMax) return `countMin is above countMax, so it ${holds}`
      if (filter.alt !== undefined && verdict === 'never')
        return `${holds}: no such post has pictures, videos or GIFs, or as many`
      return verdict === 'never' ? `${holds}: no such post has as many pictures and videos` : holds
    }
    case 'age': {
      const { hoursMin = 0, hoursMax: most } = filter
      if (most !== undefined && hoursMin > most) return `hoursMin is above hoursMax, so it ${holds}`
      return hoursMax === undefined ? holds : `${holds}: the sources bring posts of up to ${hoursMax} hours`
    }
    case 'account': {
      const { ageHoursMin = 0, ageHoursMax, followersMin = 0, followersMax } = filter
      if (ageHoursMax !== undefined && ageHoursMin > ageHoursMax)
        return `ageHoursMin is above ageHoursMax, so it ${holds}`
      if (followersMax !== undefined && followersMin > followersMax)
        return `followersMin is above followersMax, so it ${holds}`
      return `${holds} of an account that is known here: ages and numbers of followers are 0 or more`
    }
    case 'count':
      return `${holds}: a count is 0 or more`
    default:
      return holds
  }
}

function isLeaf(filter: Filter): filter is Exclude<Filter, { kind: 'all' | 'any' | 'not' }> {
  return filter.kind !== 'all' && filter.kind !== 'any' && filter.kind !== 'not'
}

function* ofRepeated(filter: Filter, path: string): Generator<Warning> {
  if (filter.kind !== 'all' && filter.kind !== 'any') return
  const first = new Map<string, number>()
  for (const [i, part] of filter.of.entries()) {
    const says = saying(part)
    const at = first.get(says)
    if (at === undefined) first.set(says, i)
    else yield { path: `${path}/of/${i}`, kind: 'noEffect', says: `says the same as ${path}/of/${at}` }
  }
}

function* pathsIn(filter: Filter, path: string): Generator<{ filter: Filter; path: string }> {
  yield { filter, path }
  if (filter.kind === 'not') yield* pathsIn(filter.of, `${path}/of`)
  if (filter.kind === 'all' || filter.kind === 'any')
    for (const [i, part] of filter.of.entries()) yield* pathsIn(part, `${path}/of/${i}`)
}

// --- the rest

function* ofArrangement({ score, arrange }: Definition): Generator<Warning> {
  for (const [i, { weightMilli }] of (score?.terms ?? []).entries())
    if (weightMilli === 0)
      yield { path: `score/terms/${i}`, kind: 'noEffect', says: 'adds nothing: its weight is 0' }
  const { freshEvery, mix, perAuthor, limit } = arrange ?? {}
  const isNewest = score === undefined || score.order === 'newest'
  if (freshEvery !== undefined && isNewest && mix === undefined)
    yield {
      path: 'arrange/freshEvery',
      kind: 'noEffect',
      says: 'changes nothing: the newest come first anyway',
    }
  if (perAuthor && perAuthor.max === undefined && perAuthor.gap === undefined)
    yield { path: 'arrange/perAuthor', kind: 'noEffect', says: 'changes nothing: it has neither max nor gap' }
  if (perAuthor?.max !== undefined && limit !== undefined && perAuthor.max >= limit)
    yield {
      path: 'arrange/perAuthor/max',
      kind: 'noEffect',
      says: `changes nothing: the limit is ${limit} posts`,
    }
}

function* ofPlacement({ viewer, place }: Definition): Generator<Warning> {
  const { pin, manualAdd = [], manualRemove = [] } = place ?? {}
  if (pin !== undefined) yield* ofUri(pin, 'place/pin', collections.post)
  for (const [name, uris] of [
    ['manualAdd', manualAdd],
    ['manualRemove', manualRemove],
  ] as const)
    for (const [i, uri] of uris.entries()) yield* ofUri(uri, `place/${name}/${i}`, collections.post)
  const removed = new Map(manualRemove.map((uri, i) => [uri, i]))
  const put = [
    ...(pin === undefined ? [] : [{ uri: pin, path: 'place/pin' }]),
    ...manualAdd.map((uri, i) => ({ uri, path: `place/manualAdd/${i}` })),
  ]
  for (const { uri, path } of put) {
    const at = removed.get(uri)
    if (at !== undefined)
      yield { path, kind: 'never', says: `is not shown: place/manualRemove/${at} takes it out` }
  }
  if (viewer?.coldStart) yield* ofUri(viewer.coldStart.feed, 'viewer/coldStart/feed', collections.feed)
}

/** Sources that bring the posts that stay, and cost less than to look at every post. */
function* cheaper(definition: Definition): Generator<Warning> {
  const { sources, where } = definition
  const at = sources.findIndex(({ kind }) => kind === 'network')
  const network = sources[at]
  if (network?.kind !== 'network' || where === undefined) return
  const parts = where.kind === 'all' ? where.of : [where]
  for (const [i, part] of parts.entries()) {
    const path = where.kind === 'all' ? `where/of/${i}` : 'where'
    const { windowHours } = network
    const source: Source | undefined =
      part.kind === 'tag' && part.any.length <= SOURCE_TAGS_MAX
        ? { kind: 'tags', tags: part.any, windowHours }
        : part.kind === 'author' && part.in.kind !== 'viewerGraph'
          ? { ...part.in, windowHours }
          : undefined
    if (source === undefined) continue
    const variant = { ...definition, sources: sources.map((one, j) => (j === at ? source : one)) }
    const [before, after] = [definition, variant].map(priceOf)
    if (before === undefined || after === undefined || after >= before) continue
    yield {
      path: `sources/${at}`,
      kind: 'cheaper',
      says: `looks at every post, though ${path} wants ${part.kind === 'tag' ? 'a tag' : 'certain authors'}: the source ${quotedKind(source)} brings the same for ${after} points in place of ${before}`,
    }
    return
  }
}

/** As many tags as one source may have. */
const SOURCE_TAGS_MAX = 100

function quotedKind({ kind }: Source): string {
  return JSON.stringify(kind)
}

function priceOf(definition: Definition): number | undefined {
  const plan = compiled(definition)
  return plan && totalOf(plan.cost)
}

function compiled(definition: Definition): Plan | undefined {
  try {
    return compile(definition)
  } catch (error) {
    if (error instanceof InvalidDefinitionError) return undefined
    throw error
  }
}
