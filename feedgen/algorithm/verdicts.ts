/**
 * Which filters are true of every post, and which of none, whatever posts say.
 *
 * A filter is looked at with one thing known at a time (what kind of post it is, which media it
 * has, its age, one of its counts, or what one other filter says of it), each possible value in
 * turn; all else is unknown. What is false for each value is true of no post. Contradictions
 * between two such things are not found.
 */
import type { CountName, Filter, PostType } from './definition.ts'
import { compareNumbers } from './field.ts'

export type Verdict = 'always' | 'never'

/** What of a definition bears on what its filters can meet. */
export interface Reach {
  /** Whether posts can be there because somebody reposted them. */
  readonly reposts: boolean
  /** How old a post may be; absent when any age may come. */
  readonly hoursMax?: number
}

/** Filters of a definition that are compared with each other. */
export const COMPARED_FILTERS_MAX = 600
const MEDIA_COUNT_MAX = 100

/**
 * The verdict on each filter in a filter that has one; `constant` knows those of single filters.
 */
export function verdictsOf(
  root: Filter,
  reach: Reach,
  constant: (filter: Filter) => Verdict | undefined,
): Map<Filter, Verdict> {
  const filters = [...filtersWithin(root)]
  const constants = new Map(
    filters.flatMap((filter) => {
      const verdict = constant(filter)
      return verdict === undefined ? [] : [[filter, verdict === 'always'] as const]
    }),
  )
  const verdicts = new Map<Filter, Verdict>()
  for (const unknown of unknownsIn(filters, reach)) {
    const met = new Map<Filter, { can: boolean; cannot: boolean }>()
    for (const value of unknown.values) {
      const tell = (filter: Filter): boolean | undefined => {
        const answer = constants.get(filter) ?? told(filter, unknown, value, tell)
        const { can, cannot } = met.get(filter) ?? { can: false, cannot: false }
        met.set(filter, { can: can || answer !== false, cannot: cannot || answer !== true })
        return answer
      }
      tell(root)
    }
    for (const [filter, { can, cannot }] of met) {
      if (!can) verdicts.set(filter, 'never')
      else if (!cannot) verdicts.set(filter, 'always')
    }
  }
  return verdicts
}

/** Something that may be known of a post, and what it may be. */
interface Unknown {
  readonly name: string
  readonly values: readonly unknown[]
}

const NOTHING: Unknown = { name: '', values: [undefined] }

function unknownsIn(filters: readonly Filter[], reach: Reach): Unknown[] {
  const times = new Map<string, number>()
  for (const filter of filters) {
    for (const name of namesOf(filter)) times.set(name, (times.get(name) ?? 0) + 1)
  }
  const known = [...times].flatMap(([name, count]): Unknown[] => {
    switch (name) {
      case 'type':
        return [{ name, values: typesOf(reach) }]
      case 'media':
        return [{ name, values: shownMedia }]
      case 'age':
        return [{ name, values: agesOf(filters, reach) }]
      case ACCOUNT_AGE:
        return [{ name, values: accountAgesOf(filters) }]
      case ACCOUNT_FOLLOWERS:
        return [{ name, values: followersOf(filters) }]
      case 'likes':
      case 'reposts':
      case 'replies':
      case 'quotes':
        return [{ name, values: countsOf(filters, name) }]
      default:
        // Said once, it contradicts nothing.
        return count > 1 ? [{ name, values: [true, false] }] : []
    }
  })
  return [NOTHING, ...known]
}

const ACCOUNT_AGE = 'account age'
const ACCOUNT_FOLLOWERS = 'account followers'

/** What of a post a filter asks about; nothing, of those made of others. */
function namesOf(filter: Filter): string[] {
  switch (filter.kind) {
    case 'all':
    case 'any':
    case 'not':
      return []
    case 'type':
    case 'media':
    case 'age':
      return [filter.kind]
    case 'count':
      return [filter.of]
    case 'account': {
      const { ageHoursMin, ageHoursMax, followersMin, followersMax } = filter
      const isAsked = (...bounds: unknown[]) => bounds.some((bound) => bound !== undefined)
      return [
        ...(isAsked(ageHoursMin, ageHoursMax) ? [ACCOUNT_AGE] : []),
        ...(isAsked(followersMin, followersMax) ? [ACCOUNT_FOLLOWERS] : []),
      ]
    }
    default:
      return [saying(filter)]
  }
}

/** What a filter says, to be compared with others. */
export function saying(filter: Filter): string {
  return JSON.stringify(filter, (_, part) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
}

function told(
  filter: Filter,
  { name }: Unknown,
  value: unknown,
  tell: (filter: Filter) => boolean | undefined,
): boolean | undefined {
  switch (filter.kind) {
    case 'all':
    case 'any': {
      // Every part is asked, so that each has its verdict.
      const answers = filter.of.map(tell)
      const decisive = filter.kind === 'any'
      if (answers.includes(decisive)) return decisive
      return answers.includes(undefined) ? undefined : !decisive
    }
    case 'not': {
      const answer = tell(filter.of)
      return answer === undefined ? undefined : !answer
    }
  }
  const names = namesOf(filter)
  if (!names.includes(name)) return undefined
  switch (filter.kind) {
    case 'type':
      return (value as readonly PostType[]).some((type) => filter.any.includes(type))
    case 'media': {
      const { kinds, count } = value as Shown
      const { countMin = 0, countMax = MEDIA_COUNT_MAX } = filter
      const isShown =
        count >= countMin && count <= countMax && kinds.some((kind) => filter.any.includes(kind))
      if (!isShown || filter.alt === undefined) return isShown
      // Alt texts are another matter, but there is none where there is nothing to describe.
      return kinds.some((kind) => kind !== 'none' && kind !== 'card') && undefined
    }
    case 'age': {
      const { hoursMin = 0, hoursMax } = filter
      const age = value as number
      return age >= hoursMin && (hoursMax === undefined || age <= hoursMax)
    }
    case 'account': {
      const { ageHoursMin, ageHoursMax, followersMin, followersMax } = filter
      const isIn =
        name === ACCOUNT_AGE
          ? isBetween(value as number, ageHoursMin, ageHoursMax)
          : isBetween(value as number, followersMin, followersMax)
      // The other half of what it asks is another matter.
      return isIn && names.length > 1 ? undefined : isIn
    }
    case 'count':
      return compareNumbers(filter.op, value as number, filter.n)
    default:
      return value as boolean
  }
}

function typesOf({ reposts }: Reach): PostType[][] {
  return [['post'], ['reply'], ['quote'], ['reply', 'quote'], ...(reposts ? [['repost'] as PostType[]] : [])]
}

interface Shown {
  readonly kinds: readonly Extract<Filter, { kind: 'media' }>['any'][number][]
  readonly count: number
}

const shownMedia: readonly Shown[] = [
  { kinds: ['none'], count: 0 },
  { kinds: ['card'], count: 0 },
  { kinds: ['gif'], count: 0 },
  { kinds: ['video'], count: 1 },
  { kinds: ['video', 'gif'], count: 1 },
  { kinds: ['image'], count: 1 },
  ...Array.from(
    { length: MEDIA_COUNT_MAX - 1 },
    (_, i): Shown => ({
      kinds: ['image', 'gallery'],
      count: i + 2,
    }),
  ),
]

/** Each age at which an answer changes, and those between. */
function agesOf(filters: readonly Filter[], { hoursMax }: Reach): number[] {
  const edges = filters.flatMap((filter) =>
    filter.kind === 'age' ? [filter.hoursMin ?? 0, filter.hoursMax ?? 0] : [],
  )
  const ages = new Set([0, ...edges.flatMap((edge) => [edge - 0.5, edge, edge + 0.5]), hoursMax ?? 0])
  return [...ages].filter((age) => age >= 0 && (hoursMax === undefined || age <= hoursMax))
}

function accountAgesOf(filters: readonly Filter[]): number[] {
  const edges = filters.flatMap((filter) =>
    filter.kind === 'account' ? [filter.ageHoursMin ?? 0, filter.ageHoursMax ?? 0] : [],
  )
  return valuesAround(edges, 0.5)
}

function followersOf(filters: readonly Filter[]): number[] {
  const edges = filters.flatMap((filter) =>
    filter.kind === 'account' ? [filter.followersMin ?? 0, filter.followersMax ?? 0] : [],
  )
  return valuesAround(edges, 1)
}

function countsOf(filters: readonly Filter[], of: CountName): number[] {
  const edges = filters.flatMap((filter) => (filter.kind === 'count' && filter.of === of ? filter.n : []))
  return valuesAround(edges, 1)
}

/** The values at which an answer may change, and those beside them; none is below 0. */
function valuesAround(edges: readonly number[], step: number): number[] {
  return [...new Set([0, ...edges.flatMap((n) => [n - step, n, n + step])])].filter((n) => n >= 0)
}

function isBetween(value: number, min = 0, max?: number): boolean {
  return value >= min && (max === undefined || value <= max)
}

/** A filter and all within it. */
function* filtersWithin(filter: Filter): Generator<Filter> {
  yield filter
  if (filter.kind === 'not') yield* filtersWithin(filter.of)
  if (filter.kind === 'all' || filter.kind === 'any') for (const part of filter.of) yield* filtersWithin(part)
}
