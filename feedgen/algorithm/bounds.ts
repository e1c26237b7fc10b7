/** How many filters and expressions a definition may have: each is looked at for each post. */

import { sourcesIn } from './compile.ts'
import type { Definition, Filter } from './definition.ts'

/** Filters, those of lanes included; alternatives of one list count once. */
const FILTERS_MAX = 300
/** Regular expressions among them. */
const EXPRESSIONS_MAX = 50

/** Which bound a definition is over, if it is over any, and where. */
export function overBounds(definition: Definition): { path: string; reason: string } | undefined {
  const lanes = (definition.arrange?.mix?.lanes ?? []).map(({ where }, i) => ({
    filter: where,
    path: `arrange/mix/lanes/${i}/where`,
  }))
  const starts = [...sourcesIn(definition.sources, 'sources')].flatMap(({ source, path }) =>
    source.kind === 'hop' && source.where ? [{ filter: source.where, path: `${path}/where` }] : [],
  )
  const roots = [
    ...(definition.where ? [{ filter: definition.where, path: 'where' }] : []),
    ...lanes,
    ...starts,
  ]
  let filters = 0
  let expressions = 0
  for (const { filter, path } of roots) {
    filters += filtersOf(filter)
    expressions += expressionsOf(filter)
    if (filters > FILTERS_MAX) return { path, reason: `has more than ${FILTERS_MAX} filters` }
    if (expressions > EXPRESSIONS_MAX)
      return { path, reason: `has more than ${EXPRESSIONS_MAX} regular expressions` }
  }
  return undefined
}

function filtersOf(filter: Filter): number {
  if (filter.kind === 'not') return filtersOf(filter.of)
  if (filter.kind === 'all') return filter.of.reduce((sum, part) => sum + filtersOf(part), 0)
  if (filter.kind !== 'any') return 1
  // A list too long for one filter stands in several of a kind beside each other.
  const isNested = (part: Filter) => part.kind === 'not' || part.kind === 'all' || part.kind === 'any'
  const kinds = new Set(filter.of.filter((part) => !isNested(part)).map(({ kind }) => kind))
  return filter.of.filter(isNested).reduce((sum, part) => sum + filtersOf(part), kinds.size)
}

function expressionsOf(filter: Filter): number {
  if (filter.kind === 'not') return expressionsOf(filter.of)
  if (filter.kind === 'all' || filter.kind === 'any')
    return filter.of.reduce((sum, part) => sum + expressionsOf(part), 0)
  return filter.kind === 'text' && filter.regex !== undefined ? 1 : 0
}
