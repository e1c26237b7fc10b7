import { isRead, type ReadLanguages } from '../algorithm/languages.ts'
import type { IndexReader, Place, TimelineItem } from '../index/read/reader.ts'
import { type Algorithm, cursorAt, type FeedPage, type FeedRequest, pageOf, placeAt } from './algorithm.ts'

/** Posts that are looked at together for their languages. */
const LOOKED_AT_ONCE = 200
/** For one page; where they do not fill it, it is short, and the next begins behind them. */
const LOOKED_AT_MAX = 2000

/** Every post that answers no other, newest first. */
export const latest: Algorithm = {
  name: 'latest',
  displayName: 'Latest',
  description: 'Every post in your languages as it comes, newest first. Answers are left out.',
  needsViewer: false,
  open: (index) => async (request) => {
    const { viewer, limit, cursor, languages } = request
    if (languages !== undefined) return pageIn(languages, index, request)
    const found = await index.newestPosts({
      limit: limit + 1,
      after: placeAt(cursor),
      signedIn: viewer !== '',
    })
    return pageOf(found, limit, shape)
  },
}

const shape = {
  item: ({ post }: TimelineItem) => ({ post }),
  cursor: ({ place }: TimelineItem) => cursorAt(place),
}

async function pageIn(
  read: ReadLanguages,
  index: IndexReader,
  { viewer, limit, cursor }: FeedRequest,
): Promise<FeedPage> {
  const found: TimelineItem[] = []
  let after: Place | undefined = placeAt(cursor)
  let isEnd = false
  for (let looked = 0; !isEnd && found.length <= limit && looked < LOOKED_AT_MAX; looked += LOOKED_AT_ONCE) {
    const next = await index.newestPosts({ limit: LOOKED_AT_ONCE, after, signedIn: viewer !== '' })
    const records = await index.records(next.map(({ place }) => place.id))
    found.push(...next.filter(({ place }) => isRead(read, records.get(place.id))))
    after = next.at(-1)?.place ?? after
    isEnd = next.length < LOOKED_AT_ONCE
  }
  const page = pageOf(found, limit, shape)
  const cursorNext = isEnd || page.cursor !== undefined || after === undefined ? page.cursor : cursorAt(after)
  return { ...page, cursor: cursorNext, languages: read.tags }
}
