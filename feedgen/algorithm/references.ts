/** The records that a definition names, and whether they are there. */

import { isActorSet, sourcesIn } from './compile.ts'
import type { ActorSet, Definition, Filter, Source } from './definition.ts'
import { collections } from './lint-filters.ts'
import type { Warning } from './warning.ts'

/** A record that a definition names. */
export interface Reference {
  /** Where it is named. */
  readonly path: string
  readonly did: string
  readonly collection: string
  readonly rkey: string
  /** What it is, in words. */
  readonly what: string
}

/** Whether a record is there, or that nobody could tell. */
export type Finding = 'there' | 'missing' | 'unknown'

export type FindRecord = (reference: Reference) => Promise<Finding>

/**
 * As many records are asked for of one definition: lists, feeds and labelers before single posts.
 */
export const REFERENCES_ASKED_MAX = 20
/** What has not come by then is not known. */
const ASKING_MS_MAX = 5000

/**
 * A warning for each record that is not there, and for each of which that could not be found out.
 */
export async function missingOf(definition: Definition, find: FindRecord): Promise<Warning[]> {
  const references = referencesOf(definition)
  const asked = references.slice(0, REFERENCES_ASKED_MAX)
  const deadline = Promise.withResolvers<Finding>()
  const timer = setTimeout(() => deadline.resolve('unknown'), ASKING_MS_MAX)
  const findings = await Promise.all(
    asked.map((reference) =>
      Promise.race([find(reference).catch((): Finding => 'unknown'), deadline.promise]),
    ),
  )
  clearTimeout(timer)
  const warnings = asked.flatMap(({ path, what, did, collection, rkey }, i): Warning[] => {
    const finding = findings[i]
    const name = `${what}, at://${did}/${collection}/${rkey},`
    if (finding === 'missing') return [{ path, kind: 'missing', says: `names ${name} that does not exist` }]
    if (finding === 'there') return []
    return [{ path, kind: 'unknown', says: `names ${name} of which nobody could say whether it exists` }]
  })
  const left = references.length - asked.length
  if (left > 0)
    warnings.push({ path: '', kind: 'unknown', says: `names ${left} records more that were not asked for` })
  return warnings
}

const LABELER = { nsid: 'app.bsky.labeler.service', name: 'a labeler', rkey: 'self' }

/** The records that a definition names, each once, as far as their names are ones. */
export function referencesOf(definition: Definition): Reference[] {
  const found = [...named(definition)]
  const first = new Map(found.toReversed().map((one) => [`${one.did}/${one.collection}/${one.rkey}`, one]))
  return found.filter((one) => first.get(`${one.did}/${one.collection}/${one.rkey}`) === one)
}

function* named({ sources, where, arrange, viewer, place }: Definition): Generator<Reference> {
  const all = [...sourcesIn(sources, 'sources')]
  for (const { source, path } of all) yield* ofSource(source, path)
  if (where) yield* ofFilter(where, 'where')
  for (const [i, lane] of (arrange?.mix?.lanes ?? []).entries())
    yield* ofFilter(lane.where, `arrange/mix/lanes/${i}/where`)
  if (viewer?.coldStart) yield* at('feed', viewer.coldStart.feed, 'viewer/coldStart/feed')
  const { pin, manualAdd = [] } = place ?? {}
  if (pin !== undefined) yield* at('post', pin, 'place/pin')
  for (const [i, uri] of manualAdd.entries()) yield* at('post', uri, `place/manualAdd/${i}`)
  for (const { source, path } of all) {
    const [uris, under] =
      source.kind === 'posts'
        ? [source.uris, `${path}/uris`]
        : source.kind === 'colikers' && source.seed.kind === 'posts'
          ? [source.seed.uris, `${path}/seed/uris`]
          : [[], path]
    for (const [i, uri] of uris.entries()) yield* at('post', uri, `${under}/${i}`)
  }
}

function* ofSource(source: Source, path: string): Generator<Reference> {
  if (isActorSet(source)) yield* ofSet(source, path)
  else if (source.kind === 'feed') yield* at('feed', source.uri, `${path}/uri`)
  else if (source.kind === 'likedBy') yield* ofSet(source.set, `${path}/set`)
  else if (source.kind === 'labels') yield labeler(source.by, `${path}/by`)
}

function* ofFilter(root: Filter, path: string): Generator<Reference> {
  for (const { filter, at: place } of placed(root, path)) {
    if (filter.kind === 'author') yield* ofSet(filter.in, `${place}/in`)
    if (filter.kind === 'label')
      for (const [i, did] of (filter.by ?? []).entries()) yield labeler(did, `${place}/by/${i}`)
  }
}

function* placed(filter: Filter, at: string): Generator<{ filter: Filter; at: string }> {
  yield { filter, at }
  if (filter.kind === 'not') yield* placed(filter.of, `${at}/of`)
  if (filter.kind === 'all' || filter.kind === 'any')
    for (const [i, part] of filter.of.entries()) yield* placed(part, `${at}/of/${i}`)
}

function* ofSet(set: ActorSet, path: string): Generator<Reference> {
  if (set.kind === 'list' || set.kind === 'starterPack') yield* at(set.kind, set.uri, `${path}/uri`)
}

function labeler(did: string, path: string): Reference {
  return { path, did, collection: LABELER.nsid, rkey: LABELER.rkey, what: LABELER.name }
}

/** A record of the kind; of one that is named by another name, the linter speaks. */
function* at(kind: keyof typeof collections, uri: string, path: string): Generator<Reference> {
  const { nsid, name } = collections[kind]
  const [, did, collection, rkey] = /^at:\/\/(did:[^/]+)\/([^/]+)\/([^/]+)$/.exec(uri) ?? []
  if (did !== undefined && collection === nsid && rkey !== undefined)
    yield { path, did, collection, rkey, what: name }
}
