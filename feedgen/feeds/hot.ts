import { isRead } from '../algorithm/languages.ts'
import type { IndexReader } from '../index/read/reader.ts'
import { type Algorithm, type FeedPage, type FeedRequest, pageOf } from './algorithm.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import { heatOf } from './heat.ts'
import { type Snapshot, Snapshots } from './snapshots.ts'

/** How many posts of each order of magnitude of engagement are compared. */
const candidatesPerTier = 500
/** How far down one can page. */
const rankedPostsMax = 1000
const freshMs = 500
/** At one new ranking for each `freshMs`, people have more than two minutes between two pages. */
const snapshotsMax = 300
/** Posts that are looked at together for their languages. */
const LOOKED_AT_ONCE = 200

interface Ranked {
  id: number
  uri: string
  heat: number
}

/** What people like, answer and pass on, while it is fresh. */
export const hot: Algorithm = {
  name: 'hot',
  displayName: 'Hot',
  description: 'What people like, answer and pass on in your languages, while it is fresh.',
  needsViewer: false,
  open(index) {
    const rankings = new Snapshots(() => rank(index), { freshMs, snapshotsMax })
    return (request) => page(index, rankings, request)
  },
}

async function page(
  index: IndexReader,
  rankings: Snapshots<Ranked>,
  { viewer, limit, cursor, languages }: FeedRequest,
): Promise<FeedPage> {
  const { ranking, from } = await begin(rankings, cursor)
  const found: Ranked[] = []
  // Posts that went since the ranking was made leave gaps, which are filled from further down.
  for (let at = from; found.length <= limit && at < ranking.items.length; ) {
    const missing = limit + 1 - found.length
    const next = ranking.items.slice(at, at + (languages ? Math.max(missing, LOOKED_AT_ONCE) : missing))
    const records = languages && (await index.records(next.map(({ id }) => id)))
    const served = await index.served(
      next.map(({ uri }) => uri),
      { signedIn: viewer !== '' },
    )
    found.push(
      ...next.filter(
        ({ id, uri }) => served.has(uri) && (languages === undefined || isRead(languages, records?.get(id))),
      ),
    )
    at += next.length
  }
  const shown = pageOf(found, limit, {
    item: ({ uri }) => ({ post: uri }),
    cursor: ({ heat, uri }) => encodeCursor([ranking.id, heat, uri]),
  })
  return { ...shown, languages: languages?.tags }
}

/** The ranking that a cursor points into and the place behind it there; when that is gone, behind the same heat in the newest one. */
async function begin(
  rankings: Snapshots<Ranked>,
  cursor: string | undefined,
): Promise<{ ranking: Snapshot<Ranked>; from: number }> {
  if (cursor === undefined) return { ranking: await rankings.newest(), from: 0 }
  const [id, heat, uri] = decodeCursor(cursor, ['number', 'number', 'string'])
  const ranking = rankings.find(id) ?? (await rankings.newest())
  const from = ranking.items.findIndex((ranked) => byHeat({ heat, uri }, ranked) < 0)
  return { ranking, from: from < 0 ? ranking.items.length : from }
}

async function rank(index: IndexReader): Promise<Ranked[]> {
  const candidates = await index.candidates(candidatesPerTier)
  return candidates
    .map((candidate) => ({ id: candidate.id, uri: candidate.uri, heat: heatOf(candidate) }))
    .sort(byHeat)
    .slice(0, rankedPostsMax)
}

function byHeat(a: Omit<Ranked, 'id'>, b: Omit<Ranked, 'id'>): number {
  return b.heat - a.heat || (a.uri < b.uri ? 1 : a.uri > b.uri ? -1 : 0)
}
