/**
 * What a post's record says, in the form in which algorithms ask for it. There is this one reading
 * of a record: at ingest, where posts are matched, and from the stored bytes afterwards, where they
 * are ranked, previewed and explained. So those cannot disagree.
 *
 * Records come from strangers: whatever has another shape than its lexicon says is as if it were
 * not there.
 */
import { type CborObject, type CborValue, isMap } from '#protocol/cbor.ts'
import { hostForm, languageForm, tagForm } from './forms.ts'
import { gifAlt, isGif } from './gifs.ts'
import { wordsOf } from './words.ts'

/** The places of a post in which words are looked for. */
export const textPlaces = ['text', 'alt', 'link', 'card'] as const
export type TextPlace = (typeof textPlaces)[number]

/** `gallery` is two pictures or more; `none` is a post without any of the others. */
export type MediaKind = 'image' | 'gallery' | 'video' | 'gif' | 'card' | 'none'

export interface PostFeatures {
  /** The DID of the account that posted it. */
  readonly author: string
  /** The record itself, for questions about fields of any name. */
  readonly record: CborObject
  /**
   * What was written, the pictures' descriptions, the URLs of links, and a card's title and
   * description; several are lines.
   */
  readonly texts: Readonly<Record<TextPlace, string>>
  /** The words of a place, as {@link wordsOf} says. */
  words(place: TextPlace): string
  /** Hashtags of the text and beside it, as {@link tagForm} says. */
  readonly tags: readonly string[]
  /** Language tags that the post declares, as {@link languageForm} says. */
  readonly langs: readonly string[]
  /** The hosts that it links to, as {@link hostForm} says. */
  readonly domains: readonly string[]
  /** DIDs of accounts that it mentions. */
  readonly mentions: readonly string[]
  /** All kinds that apply. */
  readonly media: readonly MediaKind[]
  /** Pictures and videos. */
  readonly mediaCount: number
  /** The alt text of each of them, and of a GIF: an empty string where there is none. */
  readonly alts: readonly string[]
  /**
   * The CIDs of those, which are the same wherever the same is shown; an empty string when there
   * are none.
   */
  readonly blobs: string
  /** Labels that its author put on it. */
  readonly selfLabels: readonly string[]
  /** URIs of the posts that it answers and of the record that it shows. */
  readonly parent?: string
  readonly root?: string
  readonly quote?: string
  /**
   * When its author says that it was made, in milliseconds since 1970; absent when that is no date.
   */
  readonly createdAt?: number
}

/** The features of a post's record. */
export function featuresOf(record: CborObject, author: string): PostFeatures {
  const found = new Found()
  readFacets(record.facets, found)
  readEmbed(record.embed, found)
  for (const tag of strings(record.tags)) found.tags.add(tagForm(tag))
  const reply = object(record.reply)
  const text = string(record.text) ?? ''
  const createdAt = Date.parse(string(record.createdAt) ?? '')
  if (found.media.size === 0) found.media.add('none')
  const texts = {
    text,
    alt: found.alts.join('\n'),
    link: found.links.join('\n'),
    card: found.cards.join('\n'),
  }
  const words = new Map<TextPlace, string>()
  return {
    author,
    record,
    texts,
    words(place) {
      let known = words.get(place)
      if (known === undefined) {
        known = wordsOf(texts[place])
        words.set(place, known)
      }
      return known
    },
    tags: [...found.tags],
    langs: strings(record.langs).map(languageForm),
    domains: [...new Set(found.links.flatMap(hostOf))],
    mentions: [...found.mentions],
    media: [...found.media],
    mediaCount: found.blobs.length,
    alts: found.alts,
    get blobs() {
      return found.blobs.map(cidOf).join(' ')
    },
    selfLabels: objects(object(record.labels)?.values).flatMap(({ val }) => string(val) ?? []),
    parent: uriOf(reply?.parent),
    root: uriOf(reply?.root),
    quote: found.quote,
    createdAt: Number.isNaN(createdAt) ? undefined : createdAt,
  }
}

/** What is gathered from several fields of a record. */
class Found {
  readonly alts: string[] = []
  readonly links: string[] = []
  readonly cards: string[] = []
  readonly tags = new Set<string>()
  readonly mentions = new Set<string>()
  readonly media = new Set<MediaKind>()
  readonly blobs: (CborValue | undefined)[] = []
  quote: string | undefined
}

function readFacets(facets: CborValue | undefined, found: Found): void {
  for (const facet of objects(facets)) {
    for (const feature of objects(facet.features)) {
      const { $type, tag, uri, did } = feature
      if ($type === 'app.bsky.richtext.facet#tag' && typeof tag === 'string') found.tags.add(tagForm(tag))
      else if ($type === 'app.bsky.richtext.facet#link' && typeof uri === 'string') found.links.push(uri)
      else if ($type === 'app.bsky.richtext.facet#mention' && typeof did === 'string') found.mentions.add(did)
    }
  }
}

function readEmbed(value: CborValue | undefined, found: Found): void {
  const embed = object(value)
  switch (embed?.$type) {
    case 'app.bsky.embed.images':
      return readPictures(objects(embed.images), found)
    case 'app.bsky.embed.gallery':
      return readPictures(objects(embed.items), found)
    case 'app.bsky.embed.video':
      found.media.add('video')
      if (embed.presentation === 'gif') found.media.add('gif')
      found.blobs.push(embed.video)
      found.alts.push(string(embed.alt) ?? '')
      return
    case 'app.bsky.embed.external':
      return readCard(object(embed.external), found)
    case 'app.bsky.embed.record':
      found.quote = uriOf(embed.record)
      return
    case 'app.bsky.embed.recordWithMedia':
      found.quote = uriOf(object(embed.record)?.record)
      // Only media stands there by its lexicon; another record with media would go round and round.
      if (object(embed.media)?.$type !== embed.$type) readEmbed(embed.media, found)
  }
}

function readPictures(pictures: CborObject[], found: Found): void {
  if (pictures.length === 0) return
  found.media.add('image')
  if (pictures.length > 1) found.media.add('gallery')
  for (const { alt, image } of pictures) {
    found.alts.push(string(alt) ?? '')
    found.blobs.push(image)
  }
}

function readCard(card: CborObject | undefined, found: Found): void {
  const uri = string(card?.uri)
  if (uri === undefined) return
  found.links.push(uri)
  const description = string(card?.description) ?? ''
  const isMoving = hostOf(uri).some((host) => isGif(uri, host))
  found.media.add(isMoving ? 'gif' : 'card')
  if (isMoving) found.alts.push(gifAlt(description))
  found.cards.push(string(card?.title) ?? '', description)
}

/** The CID of a blob; of one that is none, nothing. */
function cidOf(blob: CborValue | undefined): string {
  const { ref } = object(blob) ?? {}
  return ref === undefined || ref === null ? '' : String(ref)
}

function hostOf(uri: string): string[] {
  const host = /^https?:\/\//i.test(uri) ? hostForm(uri) : ''
  return host === '' ? [] : [host]
}

function uriOf(reference: CborValue | undefined): string | undefined {
  return string(object(reference)?.uri)
}

function object(value: CborValue | undefined): CborObject | undefined {
  return value !== undefined && isMap(value) ? value : undefined
}

function string(value: CborValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function objects(value: CborValue | undefined): CborObject[] {
  return Array.isArray(value) ? value.filter(isMap) : []
}

function strings(value: CborValue | undefined): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}
