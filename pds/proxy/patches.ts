/** What the account's own new records change in each view: pure but for the look of a new post. */
import type { Json, LocalRecord, LocalView, PostView } from './local-view.ts'

/** The account's records that are newer than the AppView's answer. */
export interface LocalRecords {
  /** Its profile, if that is among them. */
  readonly profile: LocalRecord | undefined
  /** Its posts, oldest first. */
  readonly posts: readonly LocalRecord[]
}

/** What a view becomes. `did` is the caller's. */
export type Patch = (view: LocalView, answer: Json, local: LocalRecords, did: string) => Promise<Json> | Json

interface FeedItem extends Json {
  readonly post: PostView
  readonly reason?: Json
}

export interface ThreadView extends Json {
  readonly post: PostView
  readonly parent?: Json
  readonly replies?: readonly Json[]
}

const THREAD_VIEW = 'app.bsky.feed.defs#threadViewPost'
const REPOST = 'app.bsky.feed.defs#reasonRepost'

/** The patched views by their methods. */
export const patches = {
  'app.bsky.actor.getProfile': (view, answer, { profile }, did) =>
    profile === undefined || answer.did !== did ? answer : view.profileDetailed(answer, profile.record),

  'app.bsky.actor.getProfiles': (view, answer, { profile }, did) => {
    if (profile === undefined) return answer
    const profiles = (answer.profiles as Json[]).map((found) =>
      found.did === did ? view.profileDetailed(found, profile.record) : found,
    )
    return { ...answer, profiles }
  },

  'app.bsky.feed.getActorLikes': (view, answer, local, did) => ({
    ...answer,
    feed: withProfile(view, answer.feed as FeedItem[], local, did),
  }),

  'app.bsky.feed.getAuthorFeed': async (view, answer, local, did) => {
    const feed = answer.feed as FeedItem[]
    if (!isFeedOf(did, feed)) return answer
    return { ...answer, feed: await withPosts(view, withProfile(view, feed, local, did), local.posts) }
  },

  'app.bsky.feed.getPostThread': async (view, answer, { posts }) => {
    if (!isThread(answer.thread)) return answer
    return { ...answer, thread: await withReplies(view, answer.thread, posts) }
  },

  'app.bsky.feed.getTimeline': async (view, answer, { posts }) => ({
    ...answer,
    feed: await withPosts(view, answer.feed as FeedItem[], posts),
  }),
} satisfies Record<string, Patch>

export type PatchedView = keyof typeof patches

/** A thread that begins with a post of the account's, with what it replied to itself. */
export async function newThread(
  view: LocalView,
  post: LocalRecord,
  others: readonly LocalRecord[],
): Promise<ThreadView> {
  return withReplies(view, await threadOf(view, post), others)
}

/** Whether a part of a thread is a post that can be seen. */
function isThread(part: unknown): part is ThreadView {
  return (part as Json | undefined)?.$type === THREAD_VIEW
}

function withProfile(view: LocalView, feed: FeedItem[], { profile }: LocalRecords, did: string): FeedItem[] {
  if (profile === undefined) return feed
  return feed.map((item) => {
    const { author } = item.post
    if (author.did !== did) return item
    return { ...item, post: { ...item.post, author: view.profileBasic(author, profile.record) } }
  })
}

/** Whether a page is of the account's own posts and reposts. */
function isFeedOf(did: string, [first]: readonly FeedItem[]): boolean {
  if (first === undefined) return false
  if (first.reason === undefined) return first.post.author.did === did
  return first.reason.$type === REPOST && (first.reason.by as Json).did === did
}

/** A feed with the posts that belong on this page of it: those newer than its last item. */
async function withPosts(
  view: LocalView,
  feed: readonly FeedItem[],
  posts: readonly LocalRecord[],
): Promise<FeedItem[]> {
  const last = feed.at(-1)?.post.indexedAt ?? new Date(0).toISOString()
  const newer = posts.filter(({ indexedAt }) => indexedAt > last).reverse()
  const patched = [...feed]
  for (const post of await Promise.all(newer.map((post) => view.post(post)))) {
    const place = patched.findIndex((item) => item.post.indexedAt < post.indexedAt)
    patched.splice(place < 0 ? patched.length : place, 0, { post })
  }
  return patched
}

/** A thread with the account's new replies in it. */
async function withReplies(
  view: LocalView,
  thread: ThreadView,
  posts: readonly LocalRecord[],
): Promise<ThreadView> {
  const rootUri = uriOf(thread.post.record, 'root')
  let patched = thread
  for (const post of posts) {
    const root = uriOf(post.record, 'root')
    if (root === undefined || (root !== thread.post.uri && root !== rootUri)) continue
    patched = await withReply(view, patched, post)
  }
  return patched
}

async function withReply(view: LocalView, thread: ThreadView, reply: LocalRecord): Promise<ThreadView> {
  if (uriOf(reply.record, 'parent') === thread.post.uri) {
    return { ...thread, replies: [await threadOf(view, reply), ...(thread.replies ?? [])] }
  }
  if (thread.replies === undefined) return thread
  const replies = await Promise.all(
    thread.replies.map((part) => (isThread(part) ? withReply(view, part, reply) : part)),
  )
  return { ...thread, replies }
}

async function threadOf(view: LocalView, post: LocalRecord): Promise<ThreadView> {
  return { $type: THREAD_VIEW, post: await view.post(post) }
}

/** The post that a post's record says it belongs to (`root`) or answers (`parent`). */
export function uriOf(record: Json, which: 'root' | 'parent'): string | undefined {
  const reply = record.reply as Record<string, { uri?: string } | undefined> | undefined
  return reply?.[which]?.uri
}
