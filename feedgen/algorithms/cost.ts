/**
 * What a definition costs its host, in points, part by part: what it takes to look at posts as they come by, and to rank. The points are guesses of
 * work and not of money; a definition above the host's limit is refused with the dearest parts named.
 */
import type { Definition, Source } from './definition.ts'
import { coverOf } from './keys.ts'
import { type Rule, rulesIn } from './rule.ts'

export interface CostPart {
  /** The part of the definition. */
  readonly path: string
  readonly points: number
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
const REGEX_TESTS = 10
const WORDS_PER_TEST = 10

/** The parts that cost anything. */
export function costOf(
  definition: Definition,
  sources: readonly { source: Source; path: string }[],
  intake: Rule | undefined,
  rules: readonly Rule[],
): CostPart[] {
  const parts: CostPart[] = sources.map(({ source, path }) => ({ path, points: SOURCE_POINTS[source.kind] }))
  if (intake) {
    // Of every thousand posts that come by, as many are looked at, each as often as there are tests.
    const looks = Math.min(1000, coverOf(intake).share)
    for (const rule of rulesIn(intake)) {
      const tests = testsOf(rule)
      if (tests > 0) parts.push({ path: rule.path, points: Math.ceil((looks * tests) / 100) })
    }
  }
  for (const rule of rules.flatMap((rule) => [...rulesIn(rule)])) {
    if (rule.op === 'label') parts.push({ path: rule.path, points: 20 * rule.by.length })
    if (rule.op === 'duplicate') parts.push({ path: rule.path, points: 50 })
    if (rule.op === 'author') parts.push({ path: rule.path, points: 10 })
  }
  for (const [i, { kind }] of (definition.score?.terms ?? []).entries())
    parts.push({ path: `score/terms/${i}`, points: TERM_POINTS[kind] ?? 1 })
  return parts
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
  if (filter.regex !== undefined) return REGEX_TESTS
  return 1 + (filter.words?.length ?? 1) / WORDS_PER_TEST
}
