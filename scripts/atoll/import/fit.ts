/**
 * Brings what was imported within the limits of a definition: long lists become several, and values
 * that are none become notes.
 */
import type { Definition, Filter, Source } from '../../../feedgen/algorithm/definition.ts'
import { isLanguage, languageForm } from '../../../feedgen/algorithm/forms.ts'
import type { Notes } from './imported.ts'

/** As many values as the lexicon lets one list have. */
const TAGS_MAX = 200
const SOURCE_TAGS_MAX = 100
const LANGUAGES_MAX = 100
const DOMAINS_MAX = 500
const DIDS_MAX = 1000
const WORDS_MAX = 500
const LABELS_MAX = 100

/** The definition with its filters and sources within the limits. */
export function fitted(definition: Definition, notes: Notes): Definition {
  const { where, sources } = definition
  return {
    ...definition,
    sources: sources.flatMap((source): Source[] =>
      source.kind === 'tags'
        ? chunks(source.tags, SOURCE_TAGS_MAX).map((tags) => ({ ...source, tags }))
        : [source],
    ),
    ...(where && { where: fittedFilter(where, 'where', notes) }),
  }
}

function fittedFilter(filter: Filter, at: string, notes: Notes): Filter {
  switch (filter.kind) {
    case 'all':
    case 'any':
      return { kind: filter.kind, of: filter.of.map((part, i) => fittedFilter(part, `${at}/of/${i}`, notes)) }
    case 'not':
      return { kind: 'not', of: fittedFilter(filter.of, `${at}/of`, notes) }
    case 'tag':
      return either(chunks(filter.any, TAGS_MAX).map((any) => ({ ...filter, any })))
    case 'domain':
      return either(chunks(filter.any, DOMAINS_MAX).map((any) => ({ ...filter, any })))
    case 'label':
      return either(chunks(filter.any, LABELS_MAX).map((any) => ({ ...filter, any })))
    case 'mention':
      return either(chunks(filter.dids, DIDS_MAX).map((dids) => ({ ...filter, dids })))
    case 'text':
      return filter.words === undefined
        ? filter
        : either(chunks(filter.words, WORDS_MAX).map((words) => ({ ...filter, words })))
    case 'lang': {
      const tags = (langs: readonly string[]) => languagesOf(langs, at, notes)
      if (filter.any)
        return either(chunks(tags(filter.any), LANGUAGES_MAX).map((any) => ({ kind: 'lang', any })))
      if (filter.none)
        return every(chunks(tags(filter.none), LANGUAGES_MAX).map((none) => ({ kind: 'lang', none })))
      return every(chunks(tags(filter.every ?? []), LANGUAGES_MAX).map((every) => ({ kind: 'lang', every })))
    }
    default:
      return filter
  }
}

/** Language tags as BCP 47 writes them. */
function languagesOf(langs: readonly string[], at: string, notes: Notes): string[] {
  return langs.flatMap((lang) => {
    const form = languageForm(lang)
    if (isLanguage(form)) return Intl.getCanonicalLocales(form)
    notes.lostFilter(at, `${JSON.stringify(lang)} is no language`)
    return []
  })
}

function either(filters: Filter[]): Filter {
  return filters.length === 1 ? (filters[0] as Filter) : { kind: 'any', of: filters }
}

function every(filters: Filter[]): Filter {
  return filters.length === 1 ? (filters[0] as Filter) : { kind: 'all', of: filters }
}

function chunks<T>(values: readonly T[], max: number): T[][] {
  return Array.from({ length: Math.ceil(values.length / max) }, (_, i) =>
    values.slice(i * max, (i + 1) * max),
  )
}
