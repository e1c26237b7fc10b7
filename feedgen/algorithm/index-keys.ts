/**
 * By what a post can be told to be one that a rule may be true of, without asking the rule.
 *
 * A cover is a set of keys of which every such post has at least one: a rule that wants one of
 * twenty words and the language `pt` is covered by the twenty words, and by `pt`. The cover with
 * the fewest posts behind it is the one to look definitions up by.
 */

import type { Filter } from './definition.ts'
import { type PostFeatures, type TextPlace, textPlaces } from './features.ts'
import { hostForm, languageForm, tagForm } from './forms.ts'
import { hostsAbove, type Rule } from './rule.ts'
import { wordsOf } from './words.ts'

export type KeyKind = TextPlace | 'tag' | 'author' | 'lang' | 'domain' | 'mention' | 'media' | 'type'

export interface Key {
  readonly kind: KeyKind
  readonly value: string
}

export interface Cover {
  readonly keys: readonly Key[]
  /**
   * How many of a thousand posts have one of the keys: a guess, made from what the network looks
   * like.
   */
  readonly share: number
}

/** Nothing is known that such posts have in common. */
export const everyPost: Cover = { keys: [], share: 1000 }

/** The best cover of a rule. */
export function coverOf(rule: Rule): Cover {
  switch (rule.op) {
    case 'all':
      return rule.rules.map(coverOf).reduce((a, b) => (b.share < a.share ? b : a), everyPost)
    case 'any':
      return union(rule.rules.map(coverOf))
    case 'author':
      return rule.dids ? covering('author', [...rule.dids], 0.01) : everyPost
    case 'says':
      return coverOfFilter(rule.filter)
    default:
      return everyPost
  }
}

/** Whether the cover is that of every post. */
export function isEveryPost({ keys, share }: Cover): boolean {
  return keys.length === 0 && share >= everyPost.share
}

/** The keys of a post of one kind. */
export function keysOf(features: PostFeatures, kind: KeyKind): readonly string[] {
  switch (kind) {
    case 'tag':
      return features.tags
    case 'author':
      return [features.author]
    case 'lang':
      return features.langs.flatMap((lang) => {
        const dash = lang.indexOf('-')
        return dash < 0 ? lang : [lang, lang.slice(0, dash)]
      })
    case 'domain':
      return features.domains.flatMap(hostsAbove)
    case 'mention':
      return features.mentions
    case 'media':
      return features.media
    case 'type':
      return [...(features.parent ? ['reply'] : []), ...(features.quote ? ['quote'] : [])]
    default:
      return features.words(kind).split(' ')
  }
}

const SHARES: Record<string, number> = {
  image: 250,
  gallery: 60,
  video: 50,
  gif: 10,
  card: 150,
  none: 550,
  en: 500,
  ja: 200,
  reply: 400,
  quote: 80,
}
const otherLanguageShare = 50

function coverOfFilter(filter: Filter): Cover {
  switch (filter.kind) {
    case 'text':
      return coverOfText(filter)
    case 'tag':
      return covering('tag', filter.any.map(tagForm), 0.5)
    case 'domain':
      return covering('domain', filter.any.map(hostForm), 1)
    case 'mention':
      return covering('mention', filter.dids, 0.01)
    case 'media':
      return union(filter.any.map((kind) => covering('media', [kind], SHARES[kind] ?? 0)))
    case 'lang':
      return filter.none ? everyPost : coverOfLanguages(filter)
    case 'type':
      return filter.any.some((type) => type === 'post' || type === 'repost')
        ? everyPost
        : union(filter.any.map((type) => covering('type', [type], SHARES[type] ?? 0)))
    default:
      return everyPost
  }
}

function coverOfText({ words, phrase, regex, in: places = ['text'] }: Extract<Filter, { kind: 'text' }>) {
  if (regex !== undefined) return everyPost
  const texts = words ?? [phrase as string]
  return union(
    texts.flatMap((text) => {
      const [rarest = ''] = wordsOf(text)
        .trim()
        .split(' ')
        .sort((a, b) => shareOfWord(a) - shareOfWord(b))
      return places.map((place) => covering(place, [rarest], shareOfWord(rarest)))
    }),
  )
}

function coverOfLanguages({ any, every = [] }: Extract<Filter, { kind: 'lang' }>): Cover {
  const covers = (any ?? every).map(languageForm).map((lang) => {
    const key = keyOfLanguage(lang)
    return key === '*' ? everyPost : covering('lang', [key], SHARES[key] ?? otherLanguageShare)
  })
  return any ? union(covers) : covers.reduce((a, b) => (b.share < a.share ? b : a), everyPost)
}

/**
 * A post in `zh-hant-tw` is found by that and by `zh`: a language with one part more than that by
 * the first.
 */
function keyOfLanguage(lang: string): string {
  return lang.split('-', 1)[0] as string
}

/** Long words are rare ones. */
function shareOfWord(word: string): number {
  if (word.length <= 3) return 20
  return word.length <= 5 ? 5 : 1
}

function covering(kind: KeyKind, values: readonly string[], share: number): Cover {
  return { keys: values.map((value) => ({ kind, value })), share: values.length * share }
}

function union(covers: readonly Cover[]): Cover {
  if (covers.some(isEveryPost)) return everyPost
  return {
    keys: covers.flatMap(({ keys }) => keys),
    share: covers.reduce((sum, { share }) => sum + share, 0),
  }
}

/** All kinds of keys, those of texts first. */
export const keyKinds: readonly KeyKind[] = [
  ...textPlaces,
  'tag',
  'author',
  'lang',
  'domain',
  'mention',
  'media',
  'type',
]
