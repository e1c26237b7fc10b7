/**
 * Feeds that need no ranking, read page by page: the newest posts of one source, as far back as its
 * window goes. What is shown is what `evaluate.ts` would show, without an end at a thousand posts,
 * and without a list that is made first.
 */
import type { Plan, Stream } from '../algorithm/compile.ts'
import type { AccountId, PostFacts, PostId, RepostFacts } from '../algorithm/facts.ts'
import { isRead, type ReadLanguages } from '../algorithm/languages.ts'
import { type Candidate, windowOf } from './candidates.ts'
import { Inquiry, type Question } from './context.ts'
import { filter, forViewer, type Ranked } from './evaluate.ts'
import { newestFirst, type Place, type Window } from './index-queries.ts'
import { timeOf } from './score.ts'

/** A post of a stream, and where it stands there. */
export interface Streamed extends Ranked {
  readonly place: Place
}

export interface StreamRequest {
  readonly limit: number
  /** Where the page before ended. */
  readonly after?: Place
  /** What the viewer reads, where the definition asks that. */
  readonly languages?: ReadLanguages
  /** Whether the viewer has signed in; otherwise posts of authors who ask for that are left out. */
  readonly signedIn: boolean
}

export interface StreamPage {
  readonly items: readonly Streamed[]
  /** How far the source was read; absent at its end. */
  readonly readTo?: Place
}

/** Where filters may leave few, posts are read in steps of so many, and so many for one page. */
const STEP_POSTS = 200
const READ_POSTS_MAX = 2000

/**
 * The first of a stream's posts after a place. There are fewer than `limit` at the end of the
 * stream, and where too few of the posts that were read passed: then the next page goes on at
 * `readTo`.
 * @throws Error when the plan has no stream
 */
export async function readStream(
  plan: Plan,
  question: Question,
  { limit, after, languages, signedIn }: StreamRequest,
): Promise<StreamPage> {
  const { stream } = plan
  if (stream === undefined) throw new Error('only streams can be read page by page')
  const inquiry = new Inquiry(question)
  const { source } = stream
  // Everybody's, where there are none.
  const accounts = source.kind === 'network' ? undefined : await inquiry.accountsOf(source)
  const isHiding = plan.definition.viewer?.hide !== undefined
  const isFiltered = stream.rule !== undefined || languages !== undefined || isHiding || !signedIn
  const items: Streamed[] = []
  let readTo = after
  for (let read = 0; items.length < limit && read < READ_POSTS_MAX; ) {
    const step = isFiltered ? Math.max(limit, STEP_POSTS) : limit - items.length
    const found = await readStep(stream, accounts, { after: readTo, limit: step }, inquiry)
    items.push(...(await passing(plan, found, { languages, signedIn }, inquiry)))
    if (found.length < step) return { items: items.slice(0, limit), readTo: items[limit - 1]?.place }
    readTo = placeOf(found.at(-1) as Candidate)
    read += found.length
  }
  const last = items[limit - 1]
  return { items: items.slice(0, limit), readTo: last?.place ?? readTo }
}

/** The next posts and reposts in their order. */
async function readStep(
  { source, path, noReplies }: Stream,
  accounts: readonly AccountId[] | undefined,
  { after, limit }: Pick<Window, 'after' | 'limit'>,
  inquiry: Inquiry,
): Promise<readonly Candidate[]> {
  const { facts } = inquiry
  const window: Window = { since: windowOf(source, inquiry).since, after, limit }
  const from = [path]
  const asPost = (post: PostFacts): Candidate => ({ post, from, decided: false })
  if (accounts === undefined) return (await facts.newest({ ...window, noReplies })).map(asPost)
  const posts = (await facts.byAuthors(accounts, { ...window, noReplies })).map(asPost)
  if (source.kind === 'network' || !source.reposts) return posts
  const asRepost = (repost: RepostFacts): Candidate => ({ post: repost.post, repost, from, decided: false })
  const reposts = (await facts.repostedBy(accounts, window)).map(asRepost)
  return [...posts, ...reposts].sort(inOrder).slice(0, limit)
}

/** Those that pass `where` and the rules for viewers. */
async function passing(
  plan: Plan,
  found: readonly Candidate[],
  { languages, signedIn }: Pick<StreamRequest, 'languages' | 'signedIn'>,
  inquiry: Inquiry,
): Promise<readonly Streamed[]> {
  if (found.length === 0) return []
  const { facts } = inquiry
  const { source } = plan.stream as Stream
  const { since } = windowOf(source, inquiry)
  // Who is among those whose posts are read has a post there as a post, if it may be there as one.
  const isAlsoPost = ({ repost }: Candidate) => repost?.isAuthorAmong === true && repost.post.sortAt >= since
  const asThemselves = found.filter((candidate) => !isAlsoPost(candidate))
  const asEither = found
    .filter(isAlsoPost)
    .map((candidate) => ({ ...candidate, repost: undefined, reposted: candidate.repost }))
  const kept = [
    ...(await passingWhere(plan, asThemselves, inquiry)),
    ...(await passingWhere(plan, asEither, inquiry)).filter(({ repost }) => repost !== undefined),
  ].sort(inOrder)
  const ids = kept.map(({ post }) => post.id)
  const visible = signedIn ? undefined : await facts.visible(ids, { signedIn })
  const records = languages && (await facts.records(ids))
  const isShown = (id: PostId) =>
    (visible?.has(id) ?? true) && (languages === undefined || isRead(languages, records?.get(id)?.record))
  const items = kept
    .filter(({ post }) => isShown(post.id))
    .map((candidate): Streamed => {
      const { post, repost } = candidate
      const place = placeOf(candidate)
      return { id: post.id, author: post.author, repost: repost?.uri, score: place.sortAt, place }
    })
  return forViewer(plan, items, inquiry)
}

async function passingWhere(
  plan: Plan,
  found: readonly Candidate[],
  inquiry: Inquiry,
): Promise<readonly Candidate[]> {
  const { rule, noReplies } = plan.stream as Stream
  if (rule === undefined) {
    // A reply is there as a repost alone.
    return found.map(({ reposted, ...item }) =>
      noReplies && reposted && item.post.isReply ? { ...item, repost: reposted } : item,
    )
  }
  const { kept } = await filter({ where: rule }, new Map(found.map((item) => [item.post.id, item])), inquiry)
  return kept
}

function placeOf(candidate: Candidate): Place {
  return { sortAt: timeOf(candidate), id: candidate.post.id }
}

function inOrder(a: Candidate, b: Candidate): number {
  return newestFirst(placeOf(a), placeOf(b))
}
