/**
 * What filters of a valid definition look for that no post has, or in other words than were
 * written.
 */

import type { ActorSet, Filter } from './definition.ts'
import { hostForm, isLanguage, languageForm, tagForm, takesIn } from './forms.ts'
import { compileRegex } from './regex.ts'
import type { Verdict } from './verdicts.ts'
import type { Warning } from './warning.ts'
import { folded, type Term, termOf } from './words.ts'

type Of<K extends Filter['kind']> = Extract<Filter, { kind: K }>

/** What is to be said of a single filter, not of those within it. */
export function* ofOneFilter(filter: Filter, path: string): Generator<Warning> {
  switch (filter.kind) {
    case 'all':
    case 'any':
      if (filter.of.length === 0)
        yield filter.kind === 'any'
          ? { path: `${path}/of`, kind: 'never', says: 'is empty, so it is never true' }
          : { path: `${path}/of`, kind: 'always', says: 'is empty, so it is always true' }
      break
    case 'text':
      yield* ofText(filter, path)
      break
    case 'tag':
      yield* ofTags(filter.any, `${path}/any`)
      break
    case 'lang':
      yield* ofLanguages(filter, path)
      break
    case 'domain':
      yield* ofDomains(filter.any, `${path}/any`)
      break
    case 'author':
      yield* ofSet(filter.in, `${path}/in`)
      break
    case 'mention':
      yield* repeated(filter.dids, `${path}/dids`)
      break
    case 'label':
      yield* repeated(filter.any, `${path}/any`)
  }
}

/** The verdict on a single filter by its values alone. */
export function constantOf(filter: Filter): Verdict | undefined {
  switch (filter.kind) {
    case 'text':
      return filter.regex === undefined ? undefined : verdictOnRegex(filter.regex)
    case 'tag':
      return filter.any.every((tag) => tagForm(tag) === '') ? 'never' : undefined
    case 'domain':
      return filter.any.every((domain) => !isHost(hostForm(domain))) ? 'never' : undefined
    case 'lang': {
      const { any, every, none } = filter
      if (any?.every((lang) => !isKnown(lang)) || every?.some((lang) => !isKnown(lang))) return 'never'
      return none?.every((lang) => !isKnown(lang)) ? 'always' : undefined
    }
    case 'author':
      return 'uri' in filter.in && !hasDid(filter.in.uri) ? 'never' : undefined
    default:
      return undefined
  }
}

/** Hashtags. */
export function* ofTags(tags: readonly string[], path: string): Generator<Warning> {
  for (const [i, tag] of tags.entries()) {
    const form = tagForm(tag)
    if (form === '')
      yield { path: `${path}/${i}`, kind: 'never', says: `${quoted(tag)} is no tag, and no post has it` }
    else if (/\s/.test(form))
      yield {
        path: `${path}/${i}`,
        kind: 'readAs',
        says: `${quoted(tag)} has a space, which no hashtag in a text has`,
      }
  }
  yield* repeated(tags.map(tagForm), path)
}

/** Accounts. */
export function* ofSet(set: ActorSet, path: string): Generator<Warning> {
  if (set.kind === 'list' || set.kind === 'starterPack')
    yield* ofUri(set.uri, `${path}/uri`, collections[set.kind])
  if (set.kind === 'actors') yield* repeated(set.dids, `${path}/dids`)
}

/** The collections that records of each kind stand in, and what these are called. */
export const collections = {
  list: { nsid: 'app.bsky.graph.list', name: 'a list' },
  starterPack: { nsid: 'app.bsky.graph.starterpack', name: 'a starter pack' },
  feed: { nsid: 'app.bsky.feed.generator', name: 'a feed' },
  post: { nsid: 'app.bsky.feed.post', name: 'a post' },
} as const

/** The address of a record. */
export function* ofUri(
  uri: string,
  path: string,
  wanted: (typeof collections)[keyof typeof collections],
): Generator<Warning> {
  const [, authority = '', collection, rkey] = /^at:\/\/([^/]+)(?:\/([^/]+)(?:\/([^/]+))?)?/.exec(uri) ?? []
  if (!hasDid(uri))
    yield {
      path,
      kind: 'never',
      says: `names its owner by the handle ${authority}, under which nothing is found here; use the DID`,
    }
  if (collection !== wanted.nsid || rkey === undefined)
    yield {
      path,
      kind: 'never',
      says: `names ${nameOf(collection)}, and ${wanted.name} is at://DID/${wanted.nsid}/KEY`,
    }
}

function nameOf(collection: string | undefined): string {
  const known = Object.values(collections).find(({ nsid }) => nsid === collection)
  if (known) return known.name
  return collection === undefined ? 'an account' : `a record of ${collection}`
}

function* ofText(filter: Of<'text'>, path: string): Generator<Warning> {
  const { words = [], phrase, regex } = filter
  for (const [i, word] of words.entries()) yield* ofTerm(word, `${path}/words/${i}`)
  yield* ofCovered(words, `${path}/words`)
  if (phrase !== undefined) yield* ofTerm(phrase, `${path}/phrase`)
  if (regex !== undefined) yield* ofRegex(filter, regex, `${path}/regex`)
}

function* ofTerm(text: string, path: string): Generator<Warning> {
  const term = termOf(text)
  const plain = (written: string) => written.replaceAll(/\s+/g, ' ').trim()
  if (term === undefined || !/[\p{P}\p{S}]/u.test(text)) return
  const written = plain(folded(text))
  // Emoji and signs between letters part words and lose nothing.
  const edges = /(?<=^|\s)(?:(?!\p{ExtPict})[\p{P}\p{S}])+|(?:(?!\p{ExtPict})[\p{P}\p{S}])+(?=\s|$)/gu
  const lost = (written.match(edges) ?? []).filter((signs) => !term.shown.includes(signs))
  if (lost.length > 0)
    yield {
      path,
      kind: 'readAs',
      says: `is looked for as ${quoted(term.shown)}: ${quoted(lost.join(' '))} is left out`,
    }
}

/** In phrases of more words no shorter ones are looked for. */
const COMPARED_WORDS_MAX = 10

/** Words that are found already, where a shorter one stands beside them. */
function* ofCovered(words: readonly string[], path: string): Generator<Warning> {
  const terms = words.map((word) => termOf(word))
  const first = new Map<string, number>()
  for (const [i, term] of terms.entries())
    if (term && findsAllOf(term) && !first.has(term.words)) first.set(term.words, i)
  for (const [i, term] of terms.entries()) {
    const by = term && runsIn(term.words).find((run) => (first.get(run) ?? i) !== i)
    const at = by === undefined ? undefined : first.get(by)
    // Of two that are the same the second is superfluous.
    if (at === undefined || (by === term?.words && at > i)) continue
    const says = `finds nothing more: ${quoted(words[at] as string)} (${path}/${at}) finds all of it`
    yield { path: `${path}/${i}`, kind: 'noEffect', says }
  }
}

/**
 * Whether a term is found wherever its words stand: no sign of it counts, and it is no noun of one
 * syllable.
 */
function findsAllOf({ words, shown }: Term): boolean {
  return shown === words.trim().replaceAll(' -', '') && !/^ \p{Script=Hangul} $/u.test(words)
}

/** Words that stand beside each other in others. */
function runsIn(words: string): string[] {
  const parts = words.trim().split(' ')
  if (parts.length > COMPARED_WORDS_MAX) return [words]
  return parts.flatMap((_, from) =>
    parts.slice(from).map((_, length) => ` ${parts.slice(from, from + length + 1).join(' ')} `),
  )
}

const TEXT_PROBES = ['a', 'Zz 9', '\u65e5', '\n', ' ', '#', '\u{1F600}']

function verdictOnRegex(regex: string): Verdict | undefined {
  const { matches } = compileRegex(regex, '')
  if (TEXT_PROBES.every(matches) && matches('')) return 'always'
  return endsBeforeText(regex) ? 'never' : undefined
}

/** Whether a text would have to go on behind its end: `$nvda`. */
function endsBeforeText(regex: string): boolean {
  return !/\(\?[a-zA-Z]*m/.test(regex) && /^(?:\(\?[a-zA-Z]+\))?\$[\p{L}\p{N}]/u.test(regex)
}

function* ofRegex(filter: Of<'text'>, regex: string, path: string): Generator<Warning> {
  const [, inner, flags] = /^\/(.+)\/([a-z]*)$/s.exec(regex) ?? []
  if (inner !== undefined) {
    const plain = quoted(`${flags?.includes('i') ? '(?i)' : ''}${inner}`)
    yield { path, kind: 'readAs', says: `looks for the slashes too; write ${plain}` }
    return
  }
  if (endsBeforeText(regex))
    yield {
      path,
      kind: 'never',
      says: '$ is the end of the text, and nothing follows it; write \\$ for the sign',
    }
  else if (verdictOnRegex(regex) === 'always')
    yield { path, kind: 'always', says: 'finds the empty text, so it is true of every post with any text' }
  const words = wordsOfRegex(regex)
  if (words)
    yield {
      path,
      kind: 'cheaper',
      says: `the same words cost less as "words": ${JSON.stringify(words)}${filter.in ? ', in the same places' : ''}`,
    }
  else if (/^(?:\(\?[a-zA-Z]+\))?\.\*|(?<!\\)\.\*$/.test(regex) && !/^(?:\(\?[a-zA-Z]+\))?\.\*$/.test(regex))
    yield {
      path,
      kind: 'cheaper',
      says: 'an expression is looked for anywhere: ".*" at its ends finds no more',
    }
}

/**
 * The words that an expression spells out, whatever their case, between boundaries; undefined when
 * it is more than that.
 */
function wordsOfRegex(regex: string): string[] | undefined {
  const [, group, single] =
    /^\(\?i\)\\b(?:\((?:\?:)?([\p{L}\p{M}\p{N}_ |]+)\)|([\p{L}\p{M}\p{N}_ ]+))\\b$/u.exec(regex) ?? []
  const words = (group ?? single)?.split('|')
  const isWord = /^[\p{L}\p{N}_](?:[\p{L}\p{M}\p{N}_ ]*[\p{L}\p{M}\p{N}_])?$/u
  return words?.every((word) => isWord.test(word)) ? words : undefined
}

function* ofLanguages(filter: Of<'lang'>, path: string): Generator<Warning> {
  for (const name of ['any', 'every', 'none'] as const) {
    const langs = filter[name] ?? []
    for (const [i, lang] of langs.entries())
      if (!isKnown(lang))
        yield {
          path: `${path}/${name}/${i}`,
          kind: name === 'none' ? 'noEffect' : 'never',
          says: `${quoted(lang)} is no language tag; posts declare tags such as "en" or "pt-BR"`,
        }
    if (name !== 'every')
      yield* covered(langs, `${path}/${name}`, (wide, narrow) =>
        takesIn(languageForm(wide), languageForm(narrow)),
      )
  }
}

function* ofDomains(domains: readonly string[], path: string): Generator<Warning> {
  for (const [i, domain] of domains.entries()) {
    const host = hostForm(domain)
    if (!isHost(host))
      yield {
        path: `${path}/${i}`,
        kind: 'never',
        says: `${quoted(domain)} is no domain, and no link goes there`,
      }
    else if (/[^/:]\/[^/]/.test(domain.replace(/^[a-z]+:\/\//i, '')))
      yield {
        path: `${path}/${i}`,
        kind: 'readAs',
        says: `only the host counts: every link to ${host} is meant, whatever its path`,
      }
  }
  yield* covered(
    domains.map(hostForm),
    path,
    (wide, narrow) => wide === narrow || narrow.endsWith(`.${wide}`),
  )
}

/** Longer lists are not gone through pair by pair. */
const PAIRED_MAX = 200

function* covered(
  values: readonly string[],
  path: string,
  covers: (wide: string, narrow: string) => boolean,
): Generator<Warning> {
  if (values.length > PAIRED_MAX) return
  for (const [i, value] of values.entries()) {
    const by = values.findIndex(
      (other, j) => j !== i && covers(other, value) && (j < i || !covers(value, other)),
    )
    if (by < 0) continue
    yield {
      path: `${path}/${i}`,
      kind: 'noEffect',
      says: `changes nothing: ${quoted(values[by] as string)} (${path}/${by}) stands for it`,
    }
  }
}

function* repeated(values: readonly string[], path: string): Generator<Warning> {
  const first = new Map<string, number>()
  for (const [i, value] of values.entries()) {
    const at = first.get(value)
    if (at === undefined) first.set(value, i)
    else if (value !== '')
      yield { path: `${path}/${i}`, kind: 'noEffect', says: `says the same as ${path}/${at}` }
  }
}

function isKnown(lang: string): boolean {
  return isLanguage(languageForm(lang))
}

function isHost(host: string): boolean {
  return /^[^.]+(?:\.[^.]+)+$/.test(host)
}

function hasDid(uri: string): boolean {
  return uri.startsWith('at://did:')
}

function quoted(text: string): string {
  return JSON.stringify(text)
}
