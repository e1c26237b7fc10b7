/** What of a valid definition does something else than its creator may think, or nothing at all. */
import { hostForm, isLanguage, languageForm, tagForm } from '../facts/forms.ts'
import { folded, termOf } from '../facts/words.ts'
import type { ActorSet, Definition, Filter, Source } from './definition.ts'

/** Where in the definition, and what about it, in words. */
export interface Warning {
  readonly path: string
  readonly says: string
}

/** What a creator should know before a definition is published. */
export function warningsOf(definition: Definition): Warning[] {
  const { sources, where, arrange } = definition
  return [
    ...sources.flatMap((source, i) => [...ofSource(source, `sources/${i}`)]),
    ...(where ? ofFilter(where, 'where') : []),
    ...(arrange?.mix?.lanes ?? []).flatMap(({ where }, i) => [
      ...ofFilter(where, `arrange/mix/lanes/${i}/where`),
    ]),
  ]
}

function* ofSource(source: Source, path: string): Generator<Warning> {
  switch (source.kind) {
    case 'tags':
      yield* ofTags(source.tags, `${path}/tags`)
      break
    case 'list':
    case 'starterPack':
    case 'feed':
      yield* ofUri(source.uri, `${path}/uri`)
      break
    case 'posts':
      for (const [i, uri] of source.uris.entries()) yield* ofUri(uri, `${path}/uris/${i}`)
      break
    case 'likedBy':
      yield* ofSet(source.set, `${path}/set`)
      break
    case 'hop':
    case 'intersect':
      for (const [i, part] of source.of.entries()) yield* ofSource(part, `${path}/of/${i}`)
      break
    case 'minus':
      for (const name of ['from', 'take'] as const)
        for (const [i, part] of source[name].entries()) yield* ofSource(part, `${path}/${name}/${i}`)
  }
}

function* ofFilter(filter: Filter, path: string): Generator<Warning> {
  switch (filter.kind) {
    case 'all':
    case 'any':
      if (filter.of.length === 0)
        yield {
          path: `${path}/of`,
          says: filter.kind === 'any' ? 'is empty, so it is never true' : 'is empty, so it is always true',
        }
      for (const [i, part] of filter.of.entries()) yield* ofFilter(part, `${path}/of/${i}`)
      break
    case 'not':
      yield* ofFilter(filter.of, `${path}/of`)
      break
    case 'text':
      yield* ofText(filter, path)
      break
    case 'tag':
      yield* ofTags(filter.any, `${path}/any`)
      break
    case 'lang':
      for (const name of ['any', 'every', 'none'] as const)
        for (const [i, lang] of (filter[name] ?? []).entries())
          if (!isLanguage(languageForm(lang)))
            yield {
              path: `${path}/${name}/${i}`,
              says: `${quoted(lang)} is no language tag; posts declare tags such as "en" or "pt-BR"`,
            }
      break
    case 'domain':
      for (const [i, domain] of filter.any.entries()) yield* ofDomain(domain, `${path}/any/${i}`)
      break
    case 'author':
      yield* ofSet(filter.in, `${path}/in`)
      break
    case 'media':
      if (filter.countMax !== undefined && (filter.countMin ?? 0) > filter.countMax)
        yield { path, says: 'countMin is above countMax, so it is never true' }
      break
    case 'age':
      if (filter.hoursMax !== undefined && (filter.hoursMin ?? 0) > filter.hoursMax)
        yield { path, says: 'hoursMin is above hoursMax, so it is never true' }
  }
}

function* ofText(filter: Extract<Filter, { kind: 'text' }>, path: string): Generator<Warning> {
  const { words = [], phrase, regex } = filter
  for (const [i, word] of words.entries()) yield* ofTerm(word, `${path}/words/${i}`)
  if (phrase !== undefined) yield* ofTerm(phrase, `${path}/phrase`)
  const [, inner, flags] = /^\/(.+)\/([a-z]*)$/s.exec(regex ?? '') ?? []
  if (inner !== undefined)
    yield {
      path: `${path}/regex`,
      says: `looks for the slashes too; write ${quoted(`${flags?.includes('i') ? '(?i)' : ''}${inner}`)}`,
    }
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
    yield { path, says: `is looked for as ${quoted(term.shown)}: ${quoted(lost.join(' '))} is left out` }
}

function* ofTags(tags: readonly string[], path: string): Generator<Warning> {
  for (const [i, tag] of tags.entries()) {
    const form = tagForm(tag)
    if (form === '') yield { path: `${path}/${i}`, says: `${quoted(tag)} is no tag, and no post has it` }
    else if (/\s/.test(form))
      yield { path: `${path}/${i}`, says: `${quoted(tag)} has a space, which no hashtag in a text has` }
  }
}

function* ofDomain(domain: string, path: string): Generator<Warning> {
  const host = hostForm(domain)
  if (!/^[^.]+(?:\.[^.]+)+$/.test(host))
    yield { path, says: `${quoted(domain)} is no domain, and no link goes there` }
  else if (/[^/:]\/[^/]/.test(domain.replace(/^[a-z]+:\/\//i, '')))
    yield { path, says: `only the host counts: every link to ${host} is meant, whatever its path` }
}

function* ofSet(set: ActorSet, path: string): Generator<Warning> {
  if (set.kind === 'list' || set.kind === 'starterPack') yield* ofUri(set.uri, `${path}/uri`)
}

function* ofUri(uri: string, path: string): Generator<Warning> {
  const [, authority = ''] = /^at:\/\/([^/]+)/.exec(uri) ?? []
  if (!authority.startsWith('did:'))
    yield {
      path,
      says: `names its owner by the handle ${authority}, under which nothing is found here; use the DID`,
    }
}

function quoted(text: string): string {
  return JSON.stringify(text)
}
