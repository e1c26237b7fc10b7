/**
 * The blocks of SkyFeed's builder that look at one post at a time: `remove`, `keep` and `regex`.
 */
import { BSKY_LABELER_DID } from '@atproto/api'
import type { ActorSet, Comparison, CountName, Edge, Filter } from '../../../feedgen/algorithm/definition.ts'
import type { TextPlace } from '../../../feedgen/algorithm/features.ts'
import { type DidOf, didOfName, type Json, type Notes, not, text, texts, uriOf } from './imported.ts'
import { regexFilter } from './regex.ts'

export const isReply: Filter = { kind: 'type', any: ['reply'] }
export const noReplies = not(isReply)
const isRepost: Filter = { kind: 'type', any: ['repost'] }

const counts = new Map<string, CountName>([
  ['like_count', 'likes'],
  ['repost_count', 'reposts'],
  ['reply_count', 'replies'],
])

/** What stays when everything goes for which the operator holds. */
const opposites = new Map<string, Comparison>([
  ['<', 'gte'],
  ['>', 'lte'],
  ['==', 'ne'],
  ['!=', 'eq'],
])

const places = new Map<string, TextPlace>([
  ['text', 'text'],
  ['alt_text', 'alt'],
  ['link', 'link'],
])

/** The edges that SkyFeed names in addresses of its own: `list://DID/mutuals`. */
const edges = new Map<string, Edge>([
  ['following', 'follows'],
  ['followers', 'followers'],
  ['mutuals', 'mutuals'],
])

/** The accounts of a list, or those around an account; undefined when neither can be found. */
export async function membersOf(
  address: unknown,
  didOf: DidOf,
): Promise<Extract<ActorSet, { kind: 'list' | 'graph' }> | undefined> {
  const [, name, place = ''] = /^list:\/\/([^/]+)\/([a-z_]+)$/.exec(text(address) ?? '') ?? []
  const edge = edges.get(place)
  if (name !== undefined && edge !== undefined) {
    const of = await didOfName(name, didOf)
    return of === undefined ? undefined : { kind: 'graph', of, edge }
  }
  const uri = await uriOf(text(address) ?? '', 'app.bsky.graph.list', didOf)
  return uri === undefined ? undefined : { kind: 'list', uri }
}

/**
 * What a post has to be to be left by the block; undefined when it leaves all of them, or cannot be
 * carried over.
 */
export async function filterOf(
  block: Json,
  at: string,
  notes: Notes,
  didOf: DidOf,
): Promise<Filter | undefined> {
  if (block.type === 'regex') return regexOf(block, at, notes)
  const subject = text(block.subject)
  const keeps = block.type === 'keep'
  if (subject === 'list') {
    const listed = await membersOf(block.listUri, didOf)
    if (listed === undefined) return lost(notes, at, `the list ${block.listUri} was not found`)
    const isListed: Filter = { kind: 'author', in: listed }
    return keeps ? isListed : not(isListed)
  }
  if (subject === 'videos') {
    const isVideo: Filter = { kind: 'media', any: ['video'] }
    return keeps ? isVideo : not(isVideo)
  }
  if (keeps) return lost(notes, at, `keeping by ${subject} is not known`)
  return removeOf(subject, block, at, notes)
}

function removeOf(subject: string | undefined, block: Json, at: string, notes: Notes): Filter | undefined {
  const value = block.value
  switch (subject) {
    case 'item':
      return itemOf(text(value) ?? 'reply', at, notes)
    case 'image_count':
      return imagesOf(String(value ?? '0'), at, notes)
    case 'like_count':
    case 'repost_count':
    case 'reply_count': {
      const op = opposites.get(text(block.operator) ?? '<')
      const n = Number(value)
      if (!op || !Number.isInteger(n) || n < 0)
        return lost(notes, at, `${subject} ${block.operator} ${value}`)
      return { kind: 'count', of: counts.get(subject) as CountName, op, n }
    }
    case 'language':
      return languageOf(text(block.language), block.operator === '==', at, notes)
    case 'embed':
      return embedOf(text(value) ?? 'none', at, notes)
    case 'labels': {
      const any = texts(block.labels).map((label) => label.toLowerCase())
      if (any.length === 0) return lost(notes, at, 'it names no labels')
      return not({
        kind: 'any',
        of: [
          { kind: 'label', any },
          { kind: 'label', any, by: [BSKY_LABELER_DID] },
        ],
      })
    }
    case 'duplicates':
      // No post is in a feed twice anyway.
      return undefined
    case 'where':
      return lost(notes, at, 'a script in SkyFeed’s own language')
    default:
      return lost(notes, at, `removing by ${subject} is not known`)
  }
}

/** The thread that SkyFeed knows by this name. */
const inHellthread: Filter = {
  kind: 'field',
  path: 'reply.root.uri',
  op: 'eq',
  string: 'at://did:plc:wgaezxqi2spqm3mhrb5xvkzi/app.bsky.feed.post/3juzlwllznd24',
}
const hasLabels: Filter = { kind: 'field', path: 'labels.values.0.val', op: 'exists' }
/** What SkyFeed takes posts to be in that declare no language. */
const PRESET_LANGUAGE = 'en'
const isUndeclared: Filter = { kind: 'field', path: 'langs.0', op: 'absent' }

function languageOf(said: string | undefined, removes: boolean, at: string, notes: Notes): Filter {
  const language = said ?? PRESET_LANGUAGE
  if (said === undefined) notes.assumed(at, `the language ${PRESET_LANGUAGE}, which it does not name`)
  notes.assumed(at, 'posts in several languages count by each of them; SkyFeed looks at the first')
  if (language !== PRESET_LANGUAGE)
    return removes ? { kind: 'lang', none: [language] } : { kind: 'lang', any: [language] }
  const is: Filter = { kind: 'any', of: [{ kind: 'lang', any: [language] }, isUndeclared] }
  return removes ? not(is) : is
}

function itemOf(value: string, at: string, notes: Notes): Filter | undefined {
  if (value === 'reply') return noReplies
  if (value === 'post') return isReply
  if (value === 'repost') return not(isRepost)
  if (value === 'hellthread') return not(inHellthread)
  if (value === 'not_hellthread') return inHellthread
  if (value === 'has_labels' || value === 'has_no_labels') {
    notes.assumed(at, 'labels that its author put on a post')
    return value === 'has_labels' ? not(hasLabels) : hasLabels
  }
  return lost(notes, at, `removing items that are ${value} is not known`)
}

function imagesOf(value: string, at: string, notes: Notes): Filter | undefined {
  if (value === '0') return { kind: 'media', any: ['image'] }
  if (value === '1') return not({ kind: 'media', any: ['image'], countMax: 1 })
  if (value === '2+') return not({ kind: 'media', any: ['gallery'] })
  return lost(notes, at, `an image count of ${value} is not known`)
}

function embedOf(value: string, at: string, notes: Notes): Filter | undefined {
  if (value === 'post') return not(embeds('/app.bsky.feed.post/'))
  if (value === 'none') return { kind: 'field', path: 'embed.record', op: 'exists' }
  if (value === 'feed') return not(embeds('/app.bsky.feed.generator/'))
  return lost(notes, at, `removing by an embedded ${value} is not known`)
}

/** Whether a post shows a record of a collection, beside media or not. */
function embeds(collection: string): Filter {
  const contains = (path: string): Filter => ({ kind: 'field', path, op: 'contains', string: collection })
  return { kind: 'any', of: [contains('embed.record.uri'), contains('embed.record.record.uri')] }
}

function regexOf(block: Json, at: string, notes: Notes): Filter | undefined {
  const pattern = text(block.value)
  if (!pattern) return lost(notes, at, 'it has no regular expression')
  const targets = (text(block.target) ?? 'text').split('|')
  const where = targets.flatMap((target) => places.get(target) ?? [])
  if (where.length < targets.length) return lost(notes, at, `it looks into ${block.target}`)
  const filter = regexFilter(pattern, { ignoreCase: block.caseSensitive !== true, places: where }, at, notes)
  return filter && block.invert === true ? not(filter) : filter
}

function lost(notes: Notes, at: string, says: string): undefined {
  notes.lostFilter(at, says)
  return undefined
}
