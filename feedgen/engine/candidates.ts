/**
 * The first stage: the posts that the sources of a definition bring. Each source brings a bounded
 * number.
 */

import { HOUR_MS } from '#platform/time.ts'
import { type Intake, isActorSet, type Plan } from '../algorithm/compile.ts'
import type { Seed, Source } from '../algorithm/definition.ts'
import type { PostFacts, PostId, RepostFacts } from '../algorithm/facts.ts'
import {
  asksRecord,
  decide,
  decidedByRecord,
  holds,
  type Rule,
  type Surroundings,
} from '../algorithm/rule.ts'
import type { Inquiry } from './context.ts'
import { colikersOf, weighLikes } from './curves.ts'
import type { Window } from './index-queries.ts'

/** A post that a source brought. */
export interface Candidate {
  readonly post: PostFacts
  /** How it came to be there, if that is not as a post. */
  readonly repost?: RepostFacts
  /** A repost that brought it too, for filters that ask for reposts. */
  readonly reposted?: RepostFacts
  /** The sources that brought it: their paths. */
  readonly from: readonly string[]
  /** Whether its record has already been found to agree with `where`. */
  readonly decided: boolean
}

export type Candidates = Map<PostId, Candidate>

/** Of each order of magnitude of engagement, where the best of all ages are looked for. */
const postsPerTierMax = 500
const scanStepPosts = 1000
/** Of a co-like: what the viewer liked last, who liked that, and what those liked. */
const seedsMax = 100
const likersPerSeedMax = 50
const colikersMax = 150
const likesPerColikerMax = 40
/** Posts around one. */
const aroundEachMax = 50

/** What all sources of a definition bring together. */
export function gather(plan: Plan, inquiry: Inquiry): Promise<Candidates> {
  return gatherAll(plan.definition.sources, 'sources', { plan, inquiry })
}

interface Context {
  readonly plan: Plan
  readonly inquiry: Inquiry
}

async function gatherAll(sources: readonly Source[], path: string, context: Context): Promise<Candidates> {
  const all: Candidates = new Map()
  for (const [i, source] of sources.entries()) addAll(all, await gatherOne(source, `${path}/${i}`, context))
  return all
}

async function gatherOne(source: Source, path: string, context: Context): Promise<Candidates> {
  const { inquiry, plan } = context
  const { facts } = inquiry
  inquiry.check()
  const from = [path]
  const asCandidates = (posts: Iterable<PostFacts>): Candidates =>
    new Map([...posts].map((post) => [post.id, { post, from, decided: false }]))
  if (isActorSet(source)) return postedBy(source, from, inquiry)
  switch (source.kind) {
    case 'network':
    case 'tags': {
      const intake = plan.intakes.get(source)
      if (intake === undefined) throw new Error(`the plan lacks its source ${path}`)
      return takenIn(intake, context)
    }
    case 'labels':
      return asCandidates(await facts.labelled(source.by, source.val, windowOf(source, inquiry)))
    case 'posts':
      return asCandidates((await facts.postsByUri(source.uris)).values())
    case 'feed':
      return asCandidates(await facts.posts((await inquiry.question.feed?.(source.uri)) ?? []))
    case 'likedBy': {
      const accounts = await inquiry.accountsOf(source.set)
      const likes = await facts.likes(accounts, { each: likesPerColikerMax })
      const posts = await facts.posts(firstOf(new Set([...likes.values()].flat()), inquiry.reach.postsMax))
      return asCandidates(within(posts, source, inquiry))
    }
    case 'colikers': {
      const weights = await colikesOf(source.seed, inquiry)
      const best = [...weights].sort((a, b) => b[1] - a[1]).slice(0, inquiry.reach.postsMax)
      const posts = await facts.posts(best.map(([id]) => id))
      return asCandidates(within(posts, source, inquiry))
    }
    case 'hop': {
      const brought = await gatherAll(source.of, `${path}/of`, context)
      const starts = await sift(
        [...brought.values()].map(({ post }) => post),
        plan.starts.get(source),
        inquiry,
      )
      if (source.to === 'self') return asCandidates(starts)
      const ids = starts.map(({ id }) => id)
      const around = await facts.around(ids, source.to, { limit: aroundEachMax })
      return asCandidates([...around.values()].flat().slice(0, inquiry.reach.postsMax))
    }
    case 'minus': {
      const kept = await gatherAll(source.from, `${path}/from`, context)
      for (const id of (await gatherAll(source.take, `${path}/take`, context)).keys()) kept.delete(id)
      return kept
    }
    case 'intersect': {
      let common: Candidates | undefined
      for (const [i, part] of source.of.entries()) {
        const brought = await gatherOne(part, `${path}/of/${i}`, context)
        const before = common
        common = before === undefined ? brought : new Map([...brought].filter(([id]) => before.has(id)))
        for (const [id, candidate] of common) {
          const other = before?.get(id)
          if (other) common.set(id, merged(other, candidate))
        }
      }
      return common ?? new Map()
    }
  }
}

// --- posts that were matched at ingest, or would have been

async function takenIn(intake: Intake, { plan, inquiry }: Context): Promise<Candidates> {
  const { facts, question } = inquiry
  const { wanted, path } = intake
  const window = { ...windowOf(intake.source, inquiry), noReplies: intake.noReplies }
  const tiers = { ...window, limit: postsPerTierMax }
  const byScore = plan.definition.score?.order === 'score'
  let posts: readonly PostFacts[]
  if (wanted === undefined || question.definition === undefined) {
    posts = await searchPast(wanted, { window, tiers: byScore ? tiers : undefined }, inquiry)
  } else {
    posts = byScore
      ? await facts.matchedEngaged(question.definition, tiers)
      : await facts.matched(question.definition, window)
    // Matched for several sources, a post does not say for which.
    if (!plan.takenForOne) posts = await sift(posts, wanted, inquiry)
  }
  const found: Candidates = new Map(posts.map((post) => [post.id, { post, from: [path], decided: true }]))
  await addWatched(found, intake, inquiry)
  return found
}

/**
 * The newest posts of the past that are wanted, and the best ones where that is asked; a bounded
 * number is looked at.
 */
async function searchPast(
  wanted: Rule | undefined,
  { window, tiers }: { window: Window; tiers?: Window },
  inquiry: Inquiry,
): Promise<readonly PostFacts[]> {
  const { facts, reach } = inquiry
  const found = new Map<PostId, PostFacts>()
  const look = async (posts: readonly PostFacts[]) => {
    inquiry.examined += posts.length
    for (const post of await sift(posts, wanted, inquiry)) found.set(post.id, post)
  }
  if (tiers) await look(await facts.engaged(tiers))
  // Where all are wanted, the best ones and the newest ones are all there are to be had.
  if (tiers && wanted === undefined) return [...found.values()]
  let after: PostFacts | undefined
  for (let looked = 0; looked < reach.scannedPostsMax && found.size < window.limit; ) {
    const posts = await facts.newest({ ...window, limit: scanStepPosts, after })
    await look(posts)
    if (posts.length < scanStepPosts) return [...found.values()]
    looked += posts.length
    after = posts.at(-1)
  }
  inquiry.complete = false
  return [...found.values()].slice(0, window.limit)
}

/**
 * Those of the posts whose records do not deny what is wanted; records are read where the rule asks
 * for more than facts.
 */
export async function sift(
  posts: readonly PostFacts[],
  wanted: Rule | undefined,
  inquiry: Inquiry,
): Promise<readonly PostFacts[]> {
  if (wanted === undefined) return posts
  if (decidedByRecord(wanted) && !asksRecord(wanted)) {
    return posts.filter((post) => holds(wanted, { post, isRepost: false }, nothingAround))
  }
  const features = await inquiry.features(posts.map(({ id }) => id))
  return posts.filter(({ id }) => {
    inquiry.check()
    const known = features.get(id)
    return known !== undefined && decide(wanted, known) !== false
  })
}

const nothingAround: Surroundings = { now: 0, sets: new Map(), duplicates: new Map() }

/**
 * A post that is asked about goes the whole way, to be stopped by the part that speaks against it.
 */
async function addWatched(
  found: Candidates,
  { path, rule, source }: Intake,
  inquiry: Inquiry,
): Promise<void> {
  const { watch } = inquiry.question
  if (watch === undefined || found.has(watch)) return
  const posts = within(await inquiry.facts.posts([watch]), source, inquiry)
  for (const post of await sift(posts, rule, inquiry))
    found.set(post.id, { post, from: [path], decided: false })
}

// --- other sources

async function postedBy(
  source: Extract<Source, { reposts?: boolean }>,
  from: readonly string[],
  inquiry: Inquiry,
): Promise<Candidates> {
  const accounts = await inquiry.accountsOf(source)
  const window = windowOf(source, inquiry)
  const found: Candidates = new Map()
  if (accounts.length === 0) return found
  if (source.reposts) {
    for (const repost of await inquiry.facts.repostedBy(accounts, window))
      found.set(repost.post.id, { post: repost.post, repost, from, decided: false })
  }
  // What they posted themselves stands there as a post, whichever of them reposted it; filters may
  // ask for either.
  for (const post of await inquiry.facts.byAuthors(accounts, window))
    found.set(post.id, { post, reposted: found.get(post.id)?.repost, from, decided: false })
  return found
}

/** How much each post is liked by those who like what the seed names. */
export async function colikesOf(seed: Seed, inquiry: Inquiry): Promise<Map<PostId, number>> {
  const { facts } = inquiry
  const viewer = await inquiry.viewer()
  const seeds =
    seed.kind === 'posts'
      ? [...(await facts.postsByUri(seed.uris)).values()].map(({ id }) => id)
      : viewer === undefined
        ? []
        : ((await facts.likes([viewer], { each: seedsMax })).get(viewer) ?? [])
  if (seeds.length === 0) return new Map()
  const alike = colikersOf(await facts.likers(seeds.slice(0, seedsMax), { each: likersPerSeedMax }))
  if (viewer !== undefined) alike.delete(viewer)
  const closest = new Map([...alike].sort((a, b) => b[1] - a[1]).slice(0, colikersMax))
  const likes = await facts.likes([...closest.keys()], { each: likesPerColikerMax })
  const weights = weighLikes(likes, closest)
  for (const id of seeds) weights.delete(id)
  return weights
}

export function windowOf({ windowHours }: { windowHours: number }, { question, reach }: Inquiry): Window {
  return { since: question.now - windowHours * HOUR_MS, limit: reach.postsMax }
}

function within(
  posts: readonly PostFacts[],
  source: { windowHours: number },
  inquiry: Inquiry,
): readonly PostFacts[] {
  const { since } = windowOf(source, inquiry)
  return posts.filter(({ sortAt }) => sortAt >= since)
}

function addAll(all: Candidates, more: Candidates): void {
  for (const [id, candidate] of more) {
    const there = all.get(id)
    all.set(id, there ? merged(there, candidate) : candidate)
  }
}

/**
 * Which of two reposts of a post counts: the earlier one, and of two of a moment always the same.
 */
function isBefore(a: RepostFacts, b: RepostFacts): boolean {
  return a.sortAt < b.sortAt || (a.sortAt === b.sortAt && a.uri < b.uri)
}

/** Brought twice, a post is there as a post if once it was. */
function merged(a: Candidate, b: Candidate): Candidate {
  const { post } = a
  const earliest = [a.repost, b.repost, a.reposted, b.reposted]
    .filter((repost) => repost !== undefined)
    .reduce(
      (first: RepostFacts | undefined, next) => (first && !isBefore(next, first) ? first : next),
      undefined,
    )
  const [repost, reposted] = a.repost && b.repost ? [earliest, undefined] : [undefined, earliest]
  return { post, repost, reposted, from: [...a.from, ...b.from], decided: a.decided || b.decided }
}

function firstOf<T>(values: Iterable<T>, max: number): T[] {
  return [...values].slice(0, max)
}
