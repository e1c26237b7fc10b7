/**
 * A definition made ready: its rules compiled, what it takes in as posts come by, whether it needs
 * a viewer, and what it costs.
 */

import { type CostPart, costOf } from './cost.ts'
import type { ActorSet, Definition, Filter, Lane, Source } from './definition.ts'
import { InvalidDefinitionError } from './invalid.ts'
import { asksAccount, compileRule, decidedByRecord, type Rule, rulesIn } from './rule.ts'

/** A source whose posts are taken in as they come by. */
export interface Intake {
  readonly path: string
  readonly source: Extract<Source, { kind: 'network' | 'tags' }>
  /** True of the posts of this source; absent when that is every post. */
  readonly rule?: Rule
  /**
   * What a post's record must not deny for it to be taken in; absent when every post would be, or
   * every one that is no reply, and none is.
   */
  readonly wanted?: Rule
  /** Whether no reply is wanted. */
  readonly noReplies: boolean
}

/**
 * What can be read page by page, the newest first, without ranking: the posts of one source that
 * filters look at one by one.
 */
export interface Stream {
  readonly path: string
  readonly source: Extract<Source, { kind: 'network' }> | SetSource
  /** Whether no reply is wanted. */
  readonly noReplies: boolean
  /** What else is asked of each post; absent when that is nothing. */
  readonly rule?: Rule
}

export interface Plan {
  readonly definition: Definition
  readonly where?: Rule
  /**
   * What is left of `where` for posts that were taken in, of which the record has decided the rest.
   */
  readonly rest?: Rule
  readonly lanes: readonly { rule: Rule; share: number }[]
  /** From which posts hops go, by these; of others from all. */
  readonly starts: ReadonlyMap<Source, Rule>
  /** By their sources. */
  readonly intakes: ReadonlyMap<Source, Intake>
  /** What is wanted by any of them; absent when nothing is taken in. */
  readonly intake?: Rule
  /** Whether all posts that were taken in are one source's. */
  readonly takenForOne: boolean
  /** How long posts that were taken in are of use. */
  readonly windowHours: number
  /** Whether which of the posts that are taken in stay depends on their authors' accounts. */
  readonly asksAccounts: boolean
  /** Whether each viewer has a list of his own. */
  readonly isPersonal: boolean
  /** Whether what is shown depends on the viewer at all. */
  readonly looksAtViewer: boolean
  /** Whether it is made of those who follow the viewer back. */
  readonly asksMutuals: boolean
  /** Set when pages need no ranking. */
  readonly stream?: Stream
  readonly cost: readonly CostPart[]
}

/** Sources and sets are asked for within each other. */
export const sourcesMax = 50

/**
 * Makes a definition ready.
 * @throws InvalidDefinitionError
 */
export function compile(definition: Definition): Plan {
  const where = definition.where && compileRule(definition.where, 'where')
  const lanes = (definition.arrange?.mix?.lanes ?? []).map(compileLane)
  const sources = [...sourcesIn(definition.sources, 'sources')]
  if (sources.length > sourcesMax)
    throw new InvalidDefinitionError('sources', `are ${sources.length}, and ${sourcesMax} are allowed`)
  checkScore(definition)
  const starts = new Map(sources.flatMap(({ source, path }) => compileStarts(source, path)))
  // An inner hop comes behind the outer one.
  const hops = new Map(
    sources.flatMap(({ source }) =>
      source.kind === 'hop'
        ? [...sourcesIn(source.of, '')].map((inner) => [inner.source, source] as const)
        : [],
    ),
  )
  // What a hop starts from is not what is shown: `where` is asked of the posts that it leads to.
  const intakes = sources.flatMap(({ source, path }): Intake[] => {
    if (source.kind !== 'network' && source.kind !== 'tags') return []
    const hop = hops.get(source)
    const wanted = hop === undefined ? { filter: definition.where, rule: where } : startsOf(hop, starts)
    return [compileIntake(source, path, wanted)]
  })
  const wanted = intakes.flatMap((intake) => intake.wanted ?? [])
  const intake: Rule | undefined =
    wanted.length > 0 ? { op: 'any', path: 'sources', rules: wanted } : undefined
  const isPersonal = isPersonalDefinition(definition, sources)
  return {
    definition,
    where,
    rest: where && restOf(where),
    lanes,
    starts,
    intakes: new Map(intakes.map((intake) => [intake.source, intake])),
    intake,
    takenForOne: wanted.length === 1,
    windowHours: Math.max(0, ...intakes.map(({ source }) => source.windowHours)),
    asksAccounts: intake !== undefined && asksAccount(intake),
    isPersonal,
    looksAtViewer: isPersonal || isForViewer(definition),
    stream: compileStream(definition, where),
    asksMutuals: actorSetsOf(definition).some((set) => set.kind === 'viewerGraph' && set.edge === 'mutuals'),
    cost: costOf({
      definition,
      sources,
      intake,
      where,
      lanes: [...lanes.map(({ rule }) => rule), ...starts.values()],
    }),
  }
}

/** All sources, those within others too, and where they stand. */
export function* sourcesIn(
  sources: readonly Source[],
  path: string,
): Generator<{ source: Source; path: string }> {
  for (const [i, source] of sources.entries()) {
    const at = `${path}/${i}`
    yield { source, path: at }
    if (source.kind === 'hop' || source.kind === 'intersect') yield* sourcesIn(source.of, `${at}/of`)
    if (source.kind === 'minus') {
      yield* sourcesIn(source.from, `${at}/from`)
      yield* sourcesIn(source.take, `${at}/take`)
    }
  }
}

/** All filters, those within others too. */
export function* filtersIn(filter: Filter): Generator<Filter> {
  yield filter
  if (filter.kind === 'not') yield* filtersIn(filter.of)
  if (filter.kind === 'all' || filter.kind === 'any') for (const part of filter.of) yield* filtersIn(part)
}

/**
 * The sets of accounts that a definition names, whose posts or likes it brings or by whom it
 * filters.
 */
export function actorSetsOf(definition: Definition): ActorSet[] {
  const filters = [
    ...(definition.where ? [definition.where] : []),
    ...(definition.arrange?.mix?.lanes ?? []).map(({ where }) => where),
  ]
  return [
    ...[...sourcesIn(definition.sources, 'sources')].flatMap(({ source }) =>
      source.kind === 'likedBy' ? [source.set] : isActorSet(source) ? [source] : [],
    ),
    ...filters
      .flatMap((filter) => [...filtersIn(filter)])
      .flatMap((filter) => (filter.kind === 'author' ? [filter.in] : [])),
  ]
}

/** What accounts post. */
type SetSource = Extract<Source, { kind: (typeof SETS)[number] }>

const SETS = ['actors', 'list', 'starterPack', 'graph', 'viewerGraph'] as const

/** Whether a source is what accounts post. */
export function isActorSet(source: Source): source is SetSource {
  return (SETS as readonly string[]).includes(source.kind)
}

function compileLane({ where, share }: Lane, i: number): Plan['lanes'][number] {
  return { rule: compileRule(where, `arrange/mix/lanes/${i}/where`), share }
}

function compileStarts(source: Source, path: string): [Source, Rule][] {
  if (source.kind !== 'hop' || source.where === undefined) return []
  const rule = compileRule(source.where, `${path}/where`)
  if (!decidedByRecord(rule))
    throw new InvalidDefinitionError(
      `${path}/where`,
      'asks for more than the record of a post says: counts, ages, accounts, lists, duplicates or labels of labelers',
    )
  return [[source, rule]]
}

function startsOf(hop: Source, starts: ReadonlyMap<Source, Rule>): Wanted {
  return { filter: hop.kind === 'hop' ? hop.where : undefined, rule: starts.get(hop) }
}

/** A filter, and the rule that it makes. */
interface Wanted {
  readonly filter?: Filter
  readonly rule?: Rule
}

function compileIntake(source: Intake['source'], path: string, { filter, rule: where }: Wanted): Intake {
  const noReplies = filter !== undefined && refusesReplies(filter)
  if (source.kind === 'network')
    return { path, source, noReplies, wanted: filter && refusesOnlyReplies(filter) ? undefined : where }
  const rule = compileRule({ kind: 'tag', any: source.tags }, path)
  return { path, source, rule, noReplies, wanted: where ? { op: 'all', path, rules: [rule, where] } : rule }
}

/** Whether no post that is a reply passes a filter. */
function refusesReplies(filter: Filter): boolean {
  if (filter.kind === 'all') return filter.of.some(refusesReplies)
  return filter.kind === 'not' && filter.of.kind === 'type' && filter.of.any.includes('reply')
}

/** Whether every post that is no reply passes a filter, and no other. */
function refusesOnlyReplies(filter: Filter): boolean {
  return filter.kind === 'not' && filter.of.kind === 'type' && filter.of.any.every((type) => type === 'reply')
}

/**
 * What a stream cannot tell of a post by itself: what the others say, and what an AppView has to be
 * asked.
 */
const COMPARED: readonly Rule['op'][] = ['duplicate', 'account']

function compileStream(definition: Definition, rule: Rule | undefined): Stream | undefined {
  const { sources, where, score, arrange, viewer: { feedback = false } = {}, place } = definition
  const [source, ...others] = sources
  if (source === undefined || others.length > 0 || feedback || arrange !== undefined || place !== undefined)
    return undefined
  if (source.kind !== 'network' && !isActorSet(source)) return undefined
  if (score !== undefined && score.order !== 'newest') return undefined
  if (rule && [...rulesIn(rule)].some(({ op }) => COMPARED.includes(op))) return undefined
  const isOnlyReplies = where !== undefined && refusesOnlyReplies(where)
  // Few posts of the whole network may pass: those are matched as they come.
  if (source.kind === 'network' && where !== undefined && !isOnlyReplies) return undefined
  const noReplies = where !== undefined && refusesReplies(where)
  return { path: 'sources/0', source, noReplies, rule: isOnlyReplies ? undefined : rule }
}

function checkScore({ score }: Definition): void {
  if (!score) return
  if (score.order === 'score' && !score.terms) {
    throw new InvalidDefinitionError('score', 'the order `score` needs terms')
  }
  if (score.order !== 'score' && (score.terms || score.fade)) {
    throw new InvalidDefinitionError('score', `the order \`${score.order}\` takes neither terms nor fade`)
  }
  for (const [i, term] of (score.terms ?? []).entries()) {
    const { curve, exponentMilli } = 'curve' in term || 'exponentMilli' in term ? term : {}
    if ((curve === 'power') !== (exponentMilli !== undefined)) {
      throw new InvalidDefinitionError(
        `score/terms/${i}`,
        'has an exponentMilli for the curve `power`, and only then',
      )
    }
  }
}

/** What is left of a rule once the record has said its part and the rule is not false. */
function restOf(rule: Rule): Rule | undefined {
  if (decidedByRecord(rule)) return undefined
  if (rule.op !== 'all') return rule
  const rules = rule.rules.flatMap((part) => restOf(part) ?? [])
  return rules.length === 1 ? rules[0] : { ...rule, rules }
}

/** Whether a list is changed for its viewer. What they read is asked when a page is. */
function isForViewer({ viewer }: Definition): boolean {
  const { languages: _, ...rules } = viewer ?? {}
  return Object.keys(rules).length > 0
}

function isPersonalDefinition(definition: Definition, sources: readonly { source: Source }[]): boolean {
  return (
    actorSetsOf(definition).some(({ kind }) => kind === 'viewerGraph') ||
    sources.some(({ source }) => source.kind === 'colikers' && source.seed.kind === 'viewerLikes') ||
    (definition.score?.terms ?? []).some(({ kind }) => kind === 'affinity' || kind === 'colike')
  )
}
