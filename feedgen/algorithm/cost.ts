/**
 * What a definition costs its host, in points, part by part: what it takes to look at posts as they
 * come by, and to rank. The points are guesses of work and not of money; a definition above the
 * host's limit is refused with the dearest parts named.
 */
import type { Definition, Source } from './definition.ts'
import { coverOf } from './index-keys.ts'
import { type Rule, rulesIn } from './rule.ts'

export interface CostPart {
  /** The part of the definition. */
  readonly path: string
  readonly points: number
  /** Whether it is the price of tests that are made when posts are ranked. */
  readonly isRanking?: boolean
}

const SOURCE_POINTS: Record<Source['kind'], number> = {
  network: 10,
  tags: 5,
  list: 10,
  starterPack: 10,
  actors: 5,
  graph: 20,
  viewerGraph: 20,
  labels: 20,
  posts: 1,
  feed: 5,
  likedBy: 50,
  colikers: 100,
  hop: 40,
  minus: 1,
  intersect: 1,
}

const TERM_POINTS: Partial<Record<string, number>> = { affinity: 20, colike: 100, prior: 10 }
/** An AppView is asked about each author. */
const ACCOUNT_POINTS = 30
const REGEX_TESTS = 10
const WORDS_PER_TEST = 10
const REPEATED_STEPS_PER_TEST = 5
/** Of posts that come by, this many are looked at where all are. */
const INTAKE_LOOKS = 1000
/**
 * A ranking looks at so many of a source, in the same measure: fewer posts, and only when somebody
 * reads.
 */
const RANKING_LOOKS = 200
/** More sources bring more posts, but not without end. */
const RANKED_SOURCES_MAX = 5

/** What of a definition is priced. */
export interface Priced {
  readonly definition: Definition
  readonly sources: readonly { readonly source: Source; readonly path: string }[]
  /** What posts are asked as they come by. */
  readonly intake: Rule | undefined
  /** What posts are asked when they are ranked: all of them, and those of lanes. */
  readonly where: Rule | undefined
  readonly lanes: readonly Rule[]
}

/** The parts that cost anything. */
export function costOf(priced: Priced): CostPart[] {
  const { definition, sources, where, lanes } = priced
  const parts: CostPart[] = sources.map(({ source, path }) => ({ path, points: SOURCE_POINTS[source.kind] }))
  parts.push(...testCosts(priced), ...keepingCosts(priced))
  for (const rule of [where, ...lanes].flatMap((rule) => (rule ? [...rulesIn(rule)] : []))) {
    if (rule.op === 'label') parts.push({ path: rule.path, points: 20 * rule.by.length })
    if (rule.op === 'duplicate') parts.push({ path: rule.path, points: 50 })
    if (rule.op === 'account') parts.push({ path: rule.path, points: ACCOUNT_POINTS })
    if (rule.op === 'author') parts.push({ path: rule.path, points: 10 })
  }
  for (const [i, { kind }] of (definition.score?.terms ?? []).entries())
    parts.push({ path: `score/terms/${i}`, points: TERM_POINTS[kind] ?? 1 })
  return parts
}

/** A window up to which posts are kept for nothing. */
const FREE_WINDOW_HOURS = 720

/**
 * What it takes to keep posts that were taken in longer than others, by how many of a thousand
 * those are.
 */
function* keepingCosts({ sources, intake }: Priced): Generator<CostPart> {
  if (intake === undefined) return
  const { share } = coverOf(intake)
  for (const { source, path } of sources) {
    if (source.kind !== 'network' && source.kind !== 'tags') continue
    const months = source.windowHours / FREE_WINDOW_HOURS - 1
    if (months > 0) yield { path: `${path}/windowHours`, points: Math.ceil(Math.min(1000, share) * months) }
  }
}

/**
 * What tests cost, each by how many posts it is asked of: as they come by, and as they are ranked.
 */
function* testCosts({ definition, intake, where, lanes }: Priced): Generator<CostPart> {
  // Of every thousand posts that come by, as many are looked at, each as often as there are tests.
  if (intake) yield* priceOf(intake, Math.min(INTAKE_LOOKS, coverOf(intake).share))
  // What was taken in has been asked already; every other source brings posts that have not.
  const ranked = definition.sources.filter(({ kind }) => kind !== 'network' && kind !== 'tags').length
  if (where && ranked > 0) yield* priceOf(where, RANKING_LOOKS * Math.min(RANKED_SOURCES_MAX, ranked), true)
  for (const lane of lanes) yield* priceOf(lane, RANKING_LOOKS, true)
}

function* priceOf(root: Rule, looks: number, isRanking?: boolean): Generator<CostPart> {
  for (const rule of rulesIn(root)) {
    const tests = testsOf(rule)
    if (tests > 0) yield { path: rule.path, points: Math.ceil((looks * tests) / 100), isRanking }
  }
}

/** Without what tests cost in rankings, for which definitions of before were never charged. */
export function withoutRanking(cost: readonly CostPart[]): readonly CostPart[] {
  return cost.filter(({ isRanking }) => !isRanking)
}

/** All points together. */
export function totalOf(cost: readonly CostPart[]): number {
  return cost.reduce((sum, { points }) => sum + points, 0)
}

/** Which parts cost most, for people to read. */
export function dearest(cost: readonly CostPart[], count = 3): string {
  return [...cost]
    .sort((a, b) => b.points - a.points)
    .slice(0, count)
    .map(({ path, points }) => `${path} ${points}`)
    .join(', ')
}

function testsOf(rule: Rule): number {
  if (rule.op !== 'says') return rule.op === 'author' ? 1 : 0
  const { filter } = rule
  if (filter.kind !== 'text') return 1
  if (filter.regex !== undefined) return REGEX_TESTS + (rule.repeatedSteps ?? 0) / REPEATED_STEPS_PER_TEST
  return 1 + (filter.words?.length ?? 1) / WORDS_PER_TEST
}
