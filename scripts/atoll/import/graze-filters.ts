/**
 * The operators of a Graze manifest's filter, each an object with one key and a list of what it
 * works on.
 */
import { BSKY_LABELER_DID } from '@atproto/api'
import type { Comparison, Edge, FieldComparison, Filter } from '../../../feedgen/algorithm/definition.ts'
import type { MediaKind, TextPlace } from '../../../feedgen/algorithm/features.ts'
import {
  all,
  type DidOf,
  didOfName,
  isObject,
  type Json,
  type Notes,
  not,
  text,
  texts,
  uriOf,
} from './imported.ts'
import { regexFilter, textFilter } from './regex.ts'

/** How deep `and` and `or` are followed. */
const depthMax = 30

interface Context {
  notes: Notes
  didOf: DidOf
}

type Operator = (
  args: unknown[],
  at: string,
  context: Context,
) => Promise<Filter | undefined> | Filter | undefined

/** The filter of a node; undefined when it cannot be carried over, which is then noted. */
export async function filterOf(
  node: unknown,
  at: string,
  context: Context,
  depth = 0,
): Promise<Filter | undefined> {
  if (depth > depthMax || !isObject(node)) return lost(context, at, 'it is no filter')
  const [name, ...more] = Object.keys(node).filter((key) => key !== 'metadata')
  if (name === undefined || more.length > 0) return lost(context, at, 'it is not one filter')
  const place = `${at}.${name}`
  const args = name === 'not' && isObject(node.not) ? [node.not] : node[name]
  if (!Array.isArray(args)) return lost(context, place, 'it has no list of arguments')
  if (name === 'and' || name === 'or') {
    const filters: Filter[] = []
    for (const [index, child] of args.entries()) {
      const filter = await filterOf(child, `${place}[${index}]`, context, depth + 1)
      if (filter) filters.push(filter)
    }
    if (filters.length === 0) return undefined
    return filters.length === 1 ? filters[0] : { kind: name === 'and' ? 'all' : 'any', of: filters }
  }
  if (name === 'not') {
    if (args.length !== 1) return lost(context, place, `it has ${args.length} filters, not one`)
    return negated(await filterOf(args[0], place, context, depth + 1))
  }
  const operator = operators.get(name)
  if (operator) return operator(args, place, context)
  const what = classifiers.has(name) ? 'a machine-learnt classifier' : 'not known'
  return lost(context, place, what)
}

const operators = new Map<string, Operator>([
  ['attribute_compare', compare],
  ['embed_type', embedType],
  ['post_type', postType],
  ['entity_matches', entities],
  ['entity_excludes', async (...args) => negated(await entities(...args))],
  ['regex_matches', matches],
  ['regex_negation_matches', (...args) => negated(matches(...args))],
  ['regex_any', anyOf],
  ['regex_none', (...args) => negated(anyOf(...args))],
  ['social_graph', socialGraph],
  ['user_network', socialGraph],
  ['social_list', socialList],
  ['list_member', member('app.bsky.graph.list', 'list')],
  ['starter_pack_member', member('app.bsky.graph.starterpack', 'starterPack')],
])

const classifiers = new Set([
  'text_similarity',
  'model_probability',
  'content_moderation',
  'sentiment_analysis',
  'emotion_sentiment_analysis',
  'financial_sentiment_analysis',
  'toxicity_analysis',
  'topic_analysis',
  'language_analysis',
  'text_arbitrary',
  'image_nsfw',
  'image_arbitrary',
  'magic_audience',
])

const comparisons = new Map<unknown, Comparison>([
  ['==', 'eq'],
  ['!=', 'ne'],
  ['>', 'gt'],
  ['>=', 'gte'],
  ['<', 'lt'],
  ['<=', 'lte'],
])

/** Where media stand, alone or beside a quote. */
const media = ['embed', 'embed.media']
/** The places that Graze names by the path of a field. */
const places = new Map<string, TextPlace>([
  ['text', 'text'],
  ...media.flatMap((embed): [string, TextPlace][] => [
    [`${embed}.images[*].alt`, 'alt'],
    [`${embed}.items[*].alt`, 'alt'],
    [`${embed}.alt`, 'alt'],
    [`${embed}.video.alt`, 'alt'],
    [`${embed}.external.uri`, 'link'],
    [`${embed}.external.title`, 'card'],
    [`${embed}.external.description`, 'card'],
  ]),
  ['facets[*].features[*].uri', 'link'],
])
const tagPaths = new Set(['facets[*].features[*].tag', 'tags[*]', 'tags'])
const labelPaths = new Set(['labels.values[*].val', 'labels[*].val', 'labels[*]'])

async function compare(
  [variable, operator, value]: unknown[],
  at: string,
  context: Context,
): Promise<Filter | undefined> {
  const path = pathOf(variable)
  const op = comparisons.get(operator)
  if (path === undefined || op === undefined)
    return lost(context, at, `the operator ${operator} is not known`)
  const isEqual = op === 'eq'
  if (value === null && ['eq', 'ne'].includes(op)) {
    if (path === 'reply')
      return isEqual ? not({ kind: 'type', any: ['reply'] }) : { kind: 'type', any: ['reply'] }
    if (path.includes('[*].alt')) {
      const pictures: Filter = { kind: 'media', any: ['image'] }
      return isEqual ? not(pictures) : pictures
    }
    return field(path, isEqual ? 'absent' : 'exists', {}, at, context)
  }
  if (Array.isArray(value) && path === 'langs' && ['eq', 'ne'].includes(op)) {
    const same = sameList(path, texts(value))
    return isEqual ? same : not(same)
  }
  if (typeof value === 'string' && ['eq', 'ne'].includes(op)) {
    if (value === '' && places.has(path)) return isSaid(path, isEqual)
    const known = await comparedText(path, value, context, at)
    if (known) return isEqual ? known : not(known)
    return field(path, op, { string: value }, at, context)
  }
  if (typeof value === 'string' && path === 'createdAt' && !Number.isNaN(Date.parse(value))) {
    context.notes.assumed(at, 'dates are compared as they are written, in UTC')
    return field(path, op, { string: new Date(value).toISOString() }, at, context)
  }
  if (typeof value === 'boolean' && ['eq', 'ne'].includes(op))
    return field(path, op, { boolean: value }, at, context)
  if (Number.isInteger(value)) return field(path, op, { integer: value as number }, at, context)
  return lost(context, at, `comparing ${path} with ${JSON.stringify(value)}`)
}

/**
 * Whether there is a text in a place; with `isEmpty`, that there is a place for one, with none in
 * it.
 */
function isSaid(path: string, isEmpty: boolean): Filter {
  const place = places.get(path) as TextPlace
  const anything = textFilter({ regex: '(?s).' }, [place])
  if (place !== 'alt') return isEmpty ? not(anything) : anything
  const any: MediaKind[] = [path.includes('[*]') ? 'image' : 'video']
  if (!isEmpty) return { kind: 'media', any, alt: 'some' }
  return all([{ kind: 'media', any }, not({ kind: 'media', any, alt: 'every' })]) as Filter
}

/** A list that has these values and no more. */
function sameList(path: string, values: readonly string[]): Filter {
  const each = values.map((string, i): Filter => ({ kind: 'field', path: `${path}.${i}`, op: 'eq', string }))
  return { kind: 'all', of: [...each, { kind: 'field', path: `${path}.${values.length}`, op: 'absent' }] }
}

/** Comparisons that are more than of a field; undefined when this is none. */
async function comparedText(
  path: string,
  value: string,
  context: Context,
  at: string,
): Promise<Filter | undefined> {
  const { didOf } = context
  if (tagPaths.has(path)) return { kind: 'tag', any: [value.replace(/^#/, '')] }
  if (labelPaths.has(path)) return labelled([value])
  if (path === 'facets[*].features[*].did') {
    const did = await didOfName(value, didOf)
    return did === undefined ? undefined : { kind: 'mention', dids: [did] }
  }
  const place = places.get(path)
  if (path.includes('[*]') && place !== undefined)
    return regexFilter(
      `^${quote(value)}$`,
      { ignoreCase: false, places: [place], multiline: true },
      at,
      context.notes,
    )
  if (path === 'langs[*]') return { kind: 'lang', any: [value] }
  if (path === 'embed.presentation' && value === 'gif') return { kind: 'media', any: ['gif'] }
  if (!path.startsWith('hydrated_metadata.')) return undefined
  const did = await didOfName(value, didOf)
  if (did && path === 'hydrated_metadata.user.handle') {
    return { kind: 'author', in: { kind: 'actors', dids: [did] } }
  }
  if (did && path === 'hydrated_metadata.mentions[*].handle') return { kind: 'mention', dids: [did] }
  return undefined
}

function field(
  path: string,
  op: FieldComparison,
  value: { string?: string; integer?: number; boolean?: boolean },
  at: string,
  context: Context,
): Filter | undefined {
  const dotted = path.replaceAll(/\[(\d+)\]/g, '.$1')
  if (/[[\]]|^hydrated_metadata\./.test(dotted)) return lost(context, at, `comparing ${path}`)
  return { kind: 'field', path: dotted, op, ...value }
}

const embeds = new Map<unknown, Filter>([
  ...(['image', 'video', 'gif'] as const).map((kind): [string, Filter] => [
    kind,
    { kind: 'media', any: [kind] },
  ]),
  ...[['image_group', 'gallery'] as const, ['link', 'card'] as const].map(
    ([name, kind]): [string, Filter] => [name, { kind: 'media', any: [kind satisfies MediaKind] }],
  ),
  ['post', { kind: 'type', any: ['quote'] }],
])

function embedType([operator, kind]: unknown[], at: string, context: Context): Filter | undefined {
  const filter = embeds.get(kind)
  if (!filter || !['==', '!='].includes(String(operator)))
    return lost(context, at, `embeds ${operator} ${kind}`)
  return operator === '==' ? filter : not(filter)
}

function postType([operator, kinds]: unknown[], at: string, context: Context): Filter | undefined {
  const any = texts(kinds).filter((kind) => kind === 'reply' || kind === 'quote')
  if (any.length === 0 || any.length < texts(kinds).length)
    return lost(context, at, `types ${JSON.stringify(kinds)}`)
  return within({ kind: 'type', any }, operator, at, context)
}

async function entities(
  [type, values]: unknown[],
  at: string,
  context: Context,
): Promise<Filter | undefined> {
  const any = texts(values)
  if (any.length === 0) return lost(context, at, 'it names nothing')
  switch (type) {
    case 'hashtags':
      return { kind: 'tag', any: any.map((tag) => tag.replace(/^#/, '')) }
    case 'langs':
      return { kind: 'lang', any }
    case 'domains':
      return {
        kind: 'domain',
        any: any.map((domain) => domain.replace(/^https?:\/\//, '').replace(/\/.*$/, '')),
      }
    case 'urls':
      return regexFilter(
        `^(?:${any.map(quote).join('|')})$`,
        { ignoreCase: false, places: ['link'], multiline: true },
        at,
        context.notes,
      )
    case 'mentions': {
      const dids = await didsOf(any, at, context)
      return dids.length > 0 ? { kind: 'mention', dids } : undefined
    }
    case 'labels':
      return labelled(any)
    default:
      return lost(context, at, `${type} are not known`)
  }
}

/** Labels that its author put on a post, or Bluesky's own labeler. */
function labelled(any: string[]): Filter {
  return {
    kind: 'any',
    of: [
      { kind: 'label', any },
      { kind: 'label', any, by: [BSKY_LABELER_DID] },
    ],
  }
}

function matches(
  [variable, pattern, ignoreCase]: unknown[],
  at: string,
  context: Context,
): Filter | undefined {
  const place = placeOf(variable, at, context)
  if (!place) return undefined
  if (typeof pattern !== 'string') return lost(context, at, 'it has no regular expression')
  return regexFilter(pattern, { ignoreCase: ignoreCase !== false, places: [place] }, at, context.notes)
}

/** Words, or with the fourth argument regular expressions. */
function anyOf(
  [variable, list, ignoreCase, isRegex]: unknown[],
  at: string,
  context: Context,
): Filter | undefined {
  const terms = texts(list)
  if (terms.length === 0) return lost(context, at, 'it names no words')
  // A word among the tags of a post is a tag.
  if (isRegex !== true && tagPaths.has(pathOf(variable) ?? ''))
    return { kind: 'tag', any: terms.map((tag) => tag.replace(/^#/, '')) }
  const place = placeOf(variable, at, context)
  if (!place) return undefined
  if (isRegex !== true && ignoreCase !== false) {
    // An odd entry alone becomes an expression.
    const words = terms.filter((term) => WORDS.test(term))
    const odd = terms.filter((term) => !WORDS.test(term))
    const options = { ignoreCase: true, places: [place] }
    const rest =
      odd.length > 0
        ? regexFilter(`(?:^|\\W)(?:${odd.map(quote).join('|')})(?:\\W|$)`, options, at, context.notes)
        : undefined
    const filters = [...(words.length > 0 ? [textFilter({ words }, [place])] : []), ...(rest ? [rest] : [])]
    return filters.length > 1 ? { kind: 'any', of: filters } : filters[0]
  }
  const pattern = isRegex === true ? terms.join('|') : `(?:^|\\W)(?:${terms.map(quote).join('|')})(?:\\W|$)`
  return regexFilter(pattern, { ignoreCase: ignoreCase !== false, places: [place] }, at, context.notes)
}

/** What is found as words: letters, digits, and spaces between them; or emoji. */
const WORDS =
  /^(?:[\p{L}\p{N}\p{M}\p{Cf}_]+(?: [\p{L}\p{N}\p{M}\p{Cf}_]+)*|(?:\p{ExtPict}|\p{EMod}|\p{RI}|[\u200D\uFE0E\uFE0F\u20E3\u{E0020}-\u{E007F}])+|[0-9#*]\uFE0F?\u20E3)$/u

const edges = new Map<unknown, Edge>([
  ['follows', 'follows'],
  ['following', 'follows'],
  ['followers', 'followers'],
])

async function socialGraph(
  [name, operator, direction]: unknown[],
  at: string,
  context: Context,
): Promise<Filter | undefined> {
  const edge = edges.get(direction)
  const [of] = await didsOf([String(name)], at, context)
  if (!of) return undefined
  if (!edge) return lost(context, at, `the direction ${direction} is not known`)
  return within({ kind: 'author', in: { kind: 'graph', of, edge } }, operator, at, context)
}

async function socialList(
  [list, operator]: unknown[],
  at: string,
  context: Context,
): Promise<Filter | undefined> {
  const dids = await didsOf(texts(list), at, context)
  if (dids.length === 0) return lost(context, at, 'it names no accounts')
  return within({ kind: 'author', in: { kind: 'actors', dids } }, operator, at, context)
}

function member(collection: string, kind: 'list' | 'starterPack'): Operator {
  return async ([address, operator], at, context) => {
    const uri = await uriOf(String(address), collection, context.didOf)
    if (!uri) return lost(context, at, `${address} was not found`)
    return within({ kind: 'author', in: { kind, uri } }, operator, at, context)
  }
}

function within(filter: Filter, operator: unknown, at: string, context: Context): Filter | undefined {
  if (operator === 'in' || operator === 'is_in') return filter
  if (operator === 'not_in' || operator === 'is_not_in') return not(filter)
  return lost(context, at, `the operator ${operator} is not known`)
}

async function didsOf(names: string[], at: string, context: Context): Promise<string[]> {
  const dids = await Promise.all(names.map((name) => didOfName(name, context.didOf)))
  for (const [index, did] of dids.entries())
    if (!did) context.notes.lostFilter(at, `nobody is called ${names[index]}`)
  return dids.filter((did) => did !== undefined)
}

function placeOf(variable: unknown, at: string, context: Context): TextPlace | undefined {
  const path = pathOf(variable)
  const place = places.get(path ?? '')
  if (place === undefined) return lost(context, at, `looking for words in ${path}`)
  if (place === 'link') context.notes.changed(at, 'it looks at the links of a text and of a card alike')
  if (place === 'alt') context.notes.assumed(at, 'alt text counts wherever it stands, beside a quote too')
  return place
}

/** A field is named by its path, or as the older manifests do by `{"var": path}`. */
function pathOf(variable: unknown): string | undefined {
  return text(isObject(variable) ? (variable as Json).var : variable)
}

function negated(filter: Filter | undefined): Filter | undefined {
  return filter && not(filter)
}

function quote(term: string): string {
  return term.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`)
}

function lost({ notes }: Context, at: string, says: string): undefined {
  notes.lostFilter(at, says)
  return undefined
}
