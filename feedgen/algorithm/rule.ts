/**
 * The `where` of a definition, made ready to be asked of posts.
 *
 * A rule is asked twice. When a post is indexed only its record is known: {@link decide} answers
 * true, false, or undefined where that depends on what others will do. When posts are ranked all is
 * known but, at times, what an AppView says of authors: {@link tell} answers undefined where it
 * depends on that. Both go through the same tests.
 */

import { HOUR_MS } from '#platform/time.ts'
import type { AccountRange, ActorSet, CountName, Filter } from './definition.ts'
import type { AccountFacts, AccountId, LabelFacts, PostFacts } from './facts.ts'
import type { PostFeatures } from './features.ts'
import { compareNumbers, fieldTest } from './field.ts'
import { hostForm, languageForm, tagForm, takesIn } from './forms.ts'
import { InvalidDefinitionError } from './invalid.ts'
import { compileRegex } from './regex.ts'
import { termOf } from './words.ts'

/** A filter that is ready. `path` is where it stands in the definition. */
export type Rule = { readonly path: string } & (
  | { readonly op: 'all' | 'any'; readonly rules: readonly Rule[] }
  | { readonly op: 'not'; readonly rule: Rule }
  /** Decided by the record; by less than that where there is a `glance`. */
  | {
      readonly op: 'says'
      readonly filter: Filter
      /** Of a regular expression, what its repetitions add. */
      readonly repeatedSteps?: number
      test(features: PostFeatures): boolean
      glance?(considered: Considered): boolean
    }
  | { readonly op: 'author'; readonly set: ActorSet; readonly dids?: ReadonlySet<string> }
  | { readonly op: 'label'; readonly vals: ReadonlySet<string>; readonly by: readonly string[] }
  | { readonly op: 'count'; readonly of: CountName; test(count: number): boolean }
  | { readonly op: 'age'; readonly minMs: number; readonly maxMs?: number | undefined }
  | { readonly op: 'account'; readonly range: Readonly<AccountRange> }
  | { readonly op: 'duplicate'; readonly of: DuplicateOf }
)

export type DuplicateOf = 'text' | 'link' | 'media'

/**
 * A post while an algorithm considers it, with as much of what is known about it as the rules ask
 * for.
 */
export interface Considered {
  readonly post: PostFacts
  readonly isRepost: boolean
  readonly features?: PostFeatures
  readonly labels?: readonly LabelFacts[]
  /** The author's account; absent while nothing is known of it. */
  readonly account?: AccountFacts
}

/** What the rules need to know besides the post. */
export interface Surroundings {
  readonly now: number
  /** The accounts in each set that a rule names. */
  readonly sets: ReadonlyMap<ActorSet, ReadonlySet<AccountId>>
  /** The posts that are not the first to say, link or show a thing. */
  readonly duplicates: ReadonlyMap<DuplicateOf, ReadonlySet<number>>
}

/**
 * Makes a filter ready.
 * @throws InvalidDefinitionError for what a lexicon cannot say: a regular expression that is none,
 * values that exclude each other
 */
export function compileRule(filter: Filter, path: string): Rule {
  switch (filter.kind) {
    case 'all':
    case 'any':
      return {
        op: filter.kind,
        path,
        rules: filter.of.map((part, i) => compileRule(part, `${path}/of/${i}`)),
      }
    case 'not':
      return { op: 'not', path, rule: compileRule(filter.of, `${path}/of`) }
    case 'text':
      return { op: 'says', path, filter, ...textTest(filter, path) }
    case 'tag':
      return { op: 'says', path, filter, test: includesAny(filter.any.map(tagForm), ({ tags }) => tags) }
    case 'lang':
      return { op: 'says', path, filter, test: langTest(filter, path) }
    case 'domain': {
      const wanted = new Set(filter.any.map(hostForm))
      const test = ({ domains }: PostFeatures) =>
        domains.some((host) => hostsAbove(host).some((h) => wanted.has(h)))
      return { op: 'says', path, filter, test }
    }
    case 'mention':
      return { op: 'says', path, filter, test: includesAny(filter.dids, ({ mentions }) => mentions) }
    case 'author':
      return {
        op: 'author',
        path,
        set: filter.in,
        dids: filter.in.kind === 'actors' ? new Set(filter.in.dids) : undefined,
      }
    case 'type':
      return { op: 'says', path, filter, ...typeTest(filter) }
    case 'media': {
      const { countMin = 0, countMax, alt } = filter
      const kinds = new Set<string>(filter.any)
      const test = ({ media, mediaCount, alts }: PostFeatures) =>
        mediaCount >= countMin &&
        (countMax === undefined || mediaCount <= countMax) &&
        media.some((kind) => kinds.has(kind)) &&
        (alt === undefined || areDescribed(alts, alt))
      return { op: 'says', path, filter, test }
    }
    case 'label':
      return filter.by === undefined
        ? { op: 'says', path, filter, test: includesAny(filter.any, ({ selfLabels }) => selfLabels) }
        : { op: 'label', path, vals: new Set(filter.any), by: filter.by }
    case 'count':
      return { op: 'count', path, of: filter.of, test: (count) => compareNumbers(filter.op, count, filter.n) }
    case 'age': {
      exactlyOne(filter, ['hoursMin', 'hoursMax'], path, { orMore: true })
      const { hoursMin = 0, hoursMax } = filter
      return {
        op: 'age',
        path,
        minMs: hoursMin * HOUR_MS,
        maxMs: hoursMax === undefined ? undefined : hoursMax * HOUR_MS,
      }
    }
    case 'account': {
      const { kind: _, ...range } = filter
      exactlyOne(range, ['ageHoursMin', 'ageHoursMax', 'followersMin', 'followersMax'], path, {
        orMore: true,
      })
      return { op: 'account', path, range }
    }
    case 'field': {
      const values = ['string', 'integer', 'boolean'] as const
      if (filter.op !== 'exists' && filter.op !== 'absent') exactlyOne(filter, values, path)
      else if (values.some((name) => filter[name] !== undefined))
        throw new InvalidDefinitionError(path, `${filter.op} takes no value`)
      return { op: 'says', path, filter, test: fieldTest(filter, path) }
    }
    case 'duplicate':
      return { op: 'duplicate', path, of: filter.of }
  }
}

/** What a post's record alone says about a rule; undefined when it is not for the record to say. */
export function decide(rule: Rule, features: PostFeatures): boolean | undefined {
  switch (rule.op) {
    case 'all':
    case 'any':
      return together(rule.op, rule.rules, (part) => decide(part, features))
    case 'not': {
      const answer = decide(rule.rule, features)
      return answer === undefined ? undefined : !answer
    }
    case 'says':
      return rule.test(features)
    case 'author':
      return rule.dids?.has(features.author)
    default:
      return undefined
  }
}

/** Whether a rule is true of a post, as far as anybody can tell. */
export function holds(rule: Rule, considered: Considered, around: Surroundings): boolean {
  return tell(rule, considered, around) === true
}

/**
 * Whether a rule is true of a post; undefined when that depends on what is not known of its
 * author's account.
 */
export function tell(rule: Rule, considered: Considered, around: Surroundings): boolean | undefined {
  const { post, labels = [] } = considered
  switch (rule.op) {
    case 'all':
    case 'any':
      return together(rule.op, rule.rules, (part) => tell(part, considered, around))
    case 'not': {
      const answer = tell(rule.rule, considered, around)
      return answer === undefined ? undefined : !answer
    }
    case 'says':
      if (rule.glance) return rule.glance(considered)
      return considered.features !== undefined && rule.test(considered.features)
    case 'author':
      return around.sets.get(rule.set)?.has(post.author) ?? false
    case 'label':
      return labels.some(({ by, val }) => rule.vals.has(val) && rule.by.includes(by))
    case 'count':
      return rule.test(post[rule.of])
    case 'age': {
      const age = around.now - post.sortAt
      return age >= rule.minMs && (rule.maxMs === undefined || age <= rule.maxMs)
    }
    case 'account':
      return isInRange(considered.account, rule.range, around.now)
    case 'duplicate':
      return around.duplicates.get(rule.of)?.has(post.id) ?? false
  }
}

/** What `all` or `any` of the rules say together, where some may not be told. */
function together(
  op: 'all' | 'any',
  rules: readonly Rule[],
  ask: (rule: Rule) => boolean | undefined,
): boolean | undefined {
  const decisive = op === 'any'
  let known = true
  for (const part of rules) {
    const answer = ask(part)
    if (answer === decisive) return decisive
    if (answer === undefined) known = false
  }
  return known ? !decisive : undefined
}

/** Whether an account is in the range; undefined when what is known of it does not tell. */
function isInRange(
  { createdAt, followers }: Partial<AccountFacts> = {},
  range: Readonly<AccountRange>,
  now: number,
): boolean | undefined {
  const age = createdAt === undefined ? undefined : Math.max(0, now - createdAt) / HOUR_MS
  const isOfAge = isBetween(age, range.ageHoursMin, range.ageHoursMax)
  const isFollowed = isBetween(followers, range.followersMin, range.followersMax)
  if (isOfAge === false || isFollowed === false) return false
  return isOfAge === undefined || isFollowed === undefined ? undefined : true
}

/** Of a value that is not known there is only an answer where there are no bounds. */
function isBetween(
  value: number | undefined,
  min: number | undefined,
  max: number | undefined,
): boolean | undefined {
  if (min === undefined && max === undefined) return true
  if (value === undefined) return undefined
  return (min === undefined || value >= min) && (max === undefined || value <= max)
}

/** A rule and all that stand in it. */
export function* rulesIn(rule: Rule): Generator<Rule> {
  yield rule
  if (rule.op === 'not') yield* rulesIn(rule.rule)
  if (rule.op === 'all' || rule.op === 'any') for (const part of rule.rules) yield* rulesIn(part)
}

/** Whether a rule asks about authors' accounts. */
export function asksAccount(rule: Rule): boolean {
  for (const part of rulesIn(rule)) if (part.op === 'account') return true
  return false
}

/** Whether a post's record says all there is to say about the rule. */
export function decidedByRecord(rule: Rule): boolean {
  if (rule.op === 'all' || rule.op === 'any') return rule.rules.every(decidedByRecord)
  if (rule.op === 'not') return decidedByRecord(rule.rule)
  return rule.op === 'says' || (rule.op === 'author' && rule.dids !== undefined)
}

/** Whether there is no answer without the record itself. */
export function asksRecord(rule: Rule): boolean {
  for (const part of rulesIn(rule)) {
    if (part.op === 'says' && !part.glance) return true
    // Without the sets of accounts at hand, authors are told by their DIDs.
    if (part.op === 'author' && part.dids) return true
  }
  return false
}

function textTest(filter: Extract<Filter, { kind: 'text' }>, path: string) {
  exactlyOne(filter, ['words', 'phrase', 'regex'], path)
  const { words, phrase, regex, in: places = ['text'] } = filter
  if (regex !== undefined) {
    const { matches, repeatedSteps } = compileRegex(regex, `${path}/regex`)
    const test = ({ texts }: PostFeatures) =>
      places.some((place) => texts[place] !== '' && matches(texts[place]))
    return { test, repeatedSteps }
  }
  const wanted = (words ?? [phrase as string]).map((text, i) => {
    const term = termOf(text)
    if (term === undefined) {
      throw new InvalidDefinitionError(
        words ? `${path}/words/${i}` : `${path}/phrase`,
        'there is no word in it',
      )
    }
    return term
  })
  const test = (features: PostFeatures) =>
    places.some((place) => {
      const said = features.words(place)
      return said !== '' && wanted.some((term) => term.isIn(said, features.texts[place]))
    })
  return { test }
}

function langTest(filter: Extract<Filter, { kind: 'lang' }>, path: string) {
  exactlyOne(filter, ['any', 'every', 'none'], path)
  const { any, every, none } = filter
  const wanted = (any ?? every ?? none ?? []).map(languageForm)
  const speaks = (langs: readonly string[], lang: string) => langs.some((said) => takesIn(lang, said))
  if (every) return ({ langs }: PostFeatures) => wanted.every((lang) => speaks(langs, lang))
  const some = ({ langs }: PostFeatures) => langs.length > 0 && wanted.some((lang) => speaks(langs, lang))
  return any ? some : (features: PostFeatures) => !some(features)
}

/**
 * Whether as many of the media have alt text; where there are none, no question about them is true.
 */
function areDescribed(alts: readonly string[], wanted: 'every' | 'some' | 'none'): boolean {
  const described = alts.filter((alt) => alt.trim() !== '').length
  if (alts.length === 0) return false
  if (wanted === 'some') return described > 0
  return described === (wanted === 'every' ? alts.length : 0)
}

function typeTest(filter: Extract<Filter, { kind: 'type' }>) {
  const wanted = new Set(filter.any)
  const is = (isReply: boolean, isQuote: boolean) =>
    (isReply && wanted.has('reply')) ||
    (isQuote && wanted.has('quote')) ||
    (!isReply && !isQuote && wanted.has('post'))
  return {
    test: ({ parent, quote }: PostFeatures) => is(parent !== undefined, quote !== undefined),
    glance: ({ post, isRepost }: Considered) =>
      isRepost ? wanted.has('repost') : is(post.isReply, post.isQuote),
  }
}

function includesAny(wanted: readonly string[], of: (features: PostFeatures) => readonly string[]) {
  const set = new Set(wanted)
  return (features: PostFeatures) => of(features).some((text) => set.has(text))
}

/** A host and the domains above it: `a.b.org`, `b.org`, `org`. */
export function hostsAbove(host: string): string[] {
  const parts = host.split('.')
  return parts.map((_, i) => parts.slice(i).join('.'))
}

function exactlyOne<T extends object>(
  filter: T,
  names: readonly (keyof T & string)[],
  path: string,
  { orMore = false } = {},
): void {
  const given = names.filter((name) => filter[name] !== undefined).length
  if (given === 1 || (orMore && given > 1)) return
  const wanted = names.join(', ')
  throw new InvalidDefinitionError(path, `has ${orMore ? 'at least' : 'exactly'} one of ${wanted}`)
}
