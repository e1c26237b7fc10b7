/**
 * Graze's feeds: a manifest with a tree of filters over everything that is posted, and beside it
 * how posts are ordered. Its editor gives the manifest alone; its programs and its interface wrap
 * it, as `manifest` or `algorithm_manifest`.
 */
import type {
  Arrangement,
  Definition,
  Filter,
  Score,
  Source,
  Term,
} from '../../../feedgen/algorithm/definition.ts'
import { fitted } from './fit.ts'
import { filterOf } from './graze-filters.ts'
import {
  all,
  type DidOf,
  dateOf,
  ImportError,
  type Imported,
  isObject,
  type Json,
  Notes,
  text,
  windowHoursMax,
  windowOf,
} from './imported.ts'

/** How far Graze looks back where nothing is said. */
const windowHoursPreset = 48
const freshEvery = 2

/**
 * Makes a definition of a Graze feed.
 * @throws ImportError when there is no manifest in it
 */
export async function importGraze(document: unknown, didOf: DidOf): Promise<Imported> {
  const feed = isObject(document) && isObject(document.algorithm) ? document.algorithm : document
  if (!isObject(feed)) throw new ImportError('It is not an object.')
  const manifest = manifestOf(feed)
  const notes = new Notes()
  const where = await filterOf(manifest.filter, 'filter', { notes, didOf })
  if (!where) throw new ImportError('Nothing of its filter could be carried over.')
  const settings =
    [manifest.sort_settings, feed.sort_settings, feed.custom_sort_settings].find(isObject) ?? {}
  const said = text(feed.order) ?? text(manifest.order)
  if (said === undefined) notes.assumed('order', 'the newest come first')
  const order = said ?? 'new'
  const ordered = orderOf(order, settings, notes)
  for (const [key, value] of Object.entries(manifest)) {
    if (!carried.has(key) && !isEmpty(value)) notes.lost(key, lostParts.get(key) ?? 'not known')
  }
  for (const key of Object.keys(feed)) {
    if (feed !== manifest && lostParts.has(key) && !isEmpty(feed[key]))
      notes.lost(key, lostParts.get(key) ?? '')
  }
  const createdAt = dateOf(feed.created_at ?? feed.createdAt)
  return {
    definition: fitted({ ...fromSources(where, windowIn(settings, notes)), ...ordered, createdAt }, notes),
    name: text(feed.display_name),
    description: text(feed.description),
    notes: notes.list,
  }
}

function windowIn({ time_window }: Json, notes: Notes): number {
  if (typeof time_window !== 'number') {
    notes.assumed('sort_settings.time_window', `it looks back ${windowHoursPreset} hours`)
    return windowHoursPreset
  }
  if (time_window > windowHoursMax)
    notes.changed('sort_settings.time_window', `it looks back ${windowHoursMax} hours, not ${time_window}`)
  return windowOf(time_window)
}

const carried = new Set([
  'filter',
  'sort_settings',
  'order',
  'metadata',
  'display_name',
  'description',
  'record_name',
  'id',
  'user_id',
  'created_at',
  'createdAt',
])

/** Parts that have no place in a definition. Of the author's name and password nothing is kept. */
const lostParts = new Map([
  ['models', 'machine-learnt classifiers'],
  ['author', 'the sign-in of its maker'],
  ['thresholds', 'what posts must have reached before they are shown'],
  ['threshold_settings', 'what posts must have reached before they are shown'],
  ['sticky_posts', 'posts that stay at the top: name one as place.pin'],
  ['sponsored_posts', 'advertisements'],
])

function manifestOf(feed: Json): Json {
  for (const candidate of [feed.algorithm_manifest, feed.manifest, feed]) {
    const manifest = typeof candidate === 'string' ? parse(candidate) : candidate
    if (isObject(manifest) && isObject(manifest.filter)) return manifest
  }
  throw new ImportError('It has no filter: that is the root of a Graze manifest.')
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

/**
 * Everything, filtered; or where all posts have to be by certain accounts, what these post, which a
 * host can fetch.
 */
function fromSources(where: Filter, windowHours: number): Pick<Definition, 'sources' | 'where'> {
  const filters = where.kind === 'all' ? where.of : [where]
  const author = filters.find((filter) => filter.kind === 'author')
  const source: Source = author ? { ...author.in, windowHours } : { kind: 'network', windowHours }
  const rest = all(filters.filter((filter) => filter !== author))
  return { sources: [source], ...(rest && { where: rest }) }
}

const multipliers = new Map<string, Term['kind'] & ('likes' | 'replies' | 'reposts')>([
  ['like_count_multiplier', 'likes'],
  ['reply_count_multiplier', 'replies'],
  ['repost_count_multiplier', 'reposts'],
])

function orderOf(order: string, settings: Json, notes: Notes): { score?: Score; arrange?: Arrangement } {
  if (order === 'new') return {}
  if (order !== 'trending' && order !== 'blend') {
    notes.lost('order', `${order} is not known; the newest come first`)
    return {}
  }
  const terms = [...multipliers].flatMap(([name, kind]): Term[] => {
    const weight = typeof settings[name] === 'number' ? settings[name] : 1
    return weight === 0 ? [] : [{ kind, weightMilli: Math.round(weight * 1000) }]
  })
  for (const [name, value] of Object.entries(settings)) {
    if (name.startsWith('reader_') && typeof value === 'number' && value !== 0) {
      notes.lost(`sort_settings.${name}`, 'what the readers of the feed like counts as what anybody likes')
    }
  }
  notes.changed('order', 'posts fade as on Hacker News, which is nearly Graze’s own formula')
  const score: Score = {
    order: 'score',
    terms: terms.length > 0 ? terms : [{ kind: 'likes', weightMilli: 1000 }],
    fade: { kind: 'hot', gravityMilli: gravityOf(settings, notes), offsetHours: 2 },
  }
  return { score, ...(order === 'blend' && { arrange: { freshEvery } }) }
}

/** Graze's decay goes from 0, where only the newest count, to 1, where age hardly matters. */
function gravityOf({ decay_penalty }: Json, notes: Notes): number {
  if (typeof decay_penalty !== 'number') return 1800
  const gravityMilli = Math.round((1 - Math.min(Math.max(decay_penalty, 0), 1)) * 3000)
  notes.changed('sort_settings.decay_penalty', `${decay_penalty} became a gravity of ${gravityMilli / 1000}`)
  return gravityMilli
}

function isEmpty(value: unknown): boolean {
  return value === null || value === undefined || (Array.isArray(value) && value.length === 0)
}
