/**
 * The one evaluator: for what is served, for previews, for backtests and for explanations, so that
 * they cannot differ.
 *
 * The first four stages make a ranking, which all viewers may share; the last two make of it what
 * one viewer is shown.
 */

import type { Plan } from '../algorithm/compile.ts'
import type { AccountId, PostFacts, PostId } from '../algorithm/facts.ts'
import { reliableUntil } from '../algorithm/facts.ts'
import {
  asksAccount,
  asksRecord,
  type Considered,
  type DuplicateOf,
  holds,
  type Rule,
  rulesIn,
  type Surroundings,
  tell,
} from '../algorithm/rule.ts'
import { arrange } from './arrange.ts'
import { type Candidate, type Candidates, gather } from './candidates.ts'
import { Inquiry, type Question } from './context.ts'
import { type Scored, score } from './score.ts'

export const stageNames = ['sources', 'where', 'score', 'arrange', 'viewer', 'place'] as const
export type StageName = (typeof stageNames)[number]

/** How many posts a stage took in and let out, and how long that took. */
export interface StageReport {
  readonly name: StageName
  readonly in: number
  readonly out: number
  readonly micros: number
}

/** A post in a ranking. */
export interface Ranked {
  readonly id: PostId
  readonly author: AccountId
  /** The URI of the repost as which it is there. */
  readonly repost?: string
  readonly score: number
  /** Set by hand at the top. */
  readonly isPin?: boolean
}

export interface Ranking {
  readonly items: readonly Ranked[]
  readonly stages: readonly StageReport[]
  /** What is behind the items, to be explained from. */
  readonly grounds: Grounds
}

/** What was known of each post, stage by stage. */
export interface Grounds {
  readonly candidates: Candidates
  readonly considered: ReadonlyMap<PostId, Considered>
  readonly around: Surroundings
  readonly scored: ReadonlyMap<PostId, Scored>
}

/** How far down a feed goes. */
export const rankedPostsMax = 1000
/** What is arranged; the rest of the ranking is too far down to get into the feed. */
const arrangedPostsMax = 3000

/** Runs the first four stages. */
export async function rank(plan: Plan, question: Question): Promise<Ranking> {
  const inquiry = new Inquiry(question)
  const watch = new Stopwatch()
  const { candidates, considered, around, kept } = await pass(plan, inquiry, watch)

  const scored = await score(plan, kept, inquiry)
  watch.stage('score', kept.length, scored.length)

  const items = arranged(plan, scored, await laneFacts(plan, scored, inquiry))
  watch.stage('arrange', scored.length, items.length)

  return {
    items,
    stages: watch.stages,
    grounds: {
      candidates,
      considered,
      around,
      scored: new Map(scored.map((entry) => [entry.candidate.post.id, entry])),
    },
  }
}

/** Runs the first two stages alone: the posts that pass, in no order. */
export async function passing(plan: Plan, inquiry: Inquiry): Promise<readonly Candidate[]> {
  return (await pass(plan, inquiry, new Stopwatch())).kept
}

/** Runs the last two stages over a ranking. */
export async function show(
  plan: Plan,
  items: readonly Ranked[],
  question: Question,
): Promise<{ items: readonly Ranked[]; stages: readonly StageReport[] }> {
  const inquiry = new Inquiry(question)
  const watch = new Stopwatch()
  const shown = await forViewer(plan, items, inquiry)
  watch.stage('viewer', items.length, shown.length)
  const placed = await place(plan, shown, inquiry)
  watch.stage('place', shown.length, placed.length)
  return { items: placed, stages: watch.stages }
}

class Stopwatch {
  readonly stages: StageReport[] = []
  #since = performance.now()

  stage(name: StageName, entered: number, left: number): void {
    const now = performance.now()
    this.stages.push({ name, in: entered, out: left, micros: Math.round((now - this.#since) * 1000) })
    this.#since = now
  }
}

// --- sources and where

async function pass(plan: Plan, inquiry: Inquiry, watch: Stopwatch) {
  const candidates = await gather(plan, inquiry)
  watch.stage('sources', candidates.size, candidates.size)
  const passed = await filter(plan, candidates, inquiry)
  watch.stage('where', candidates.size, passed.kept.length)
  return { candidates, ...passed }
}

/** The second stage: those of the candidates that pass `where`. */
export async function filter(
  plan: Pick<Plan, 'where' | 'rest'>,
  candidates: Candidates,
  inquiry: Inquiry,
): Promise<{
  considered: Map<PostId, Considered>
  around: Surroundings
  kept: readonly Candidate[]
}> {
  const ruleFor = ({ decided }: Candidate) => (decided ? plan.rest : plan.where)
  const all = [...candidates.values()]
  const asked = all.filter((candidate) => ruleFor(candidate) !== undefined)
  const { considered, around } = await consider(
    asked,
    [plan.where, plan.rest].flatMap((rule) => rule ?? []),
    (candidate) => ruleFor(candidate) as Rule,
    inquiry,
  )
  const wantAccount = wanting(plan.where, around, inquiry)
  const kept = all.flatMap((candidate) => {
    const rule = ruleFor(candidate)
    if (rule === undefined) return candidate
    inquiry.check()
    const { id } = candidate.post
    const known = considered.get(id) as Considered
    // Of a post whose record went meanwhile nothing can be said.
    if (known.features === undefined && asksRecord(rule)) return []
    wantAccount(rule, known)
    if (holds(rule, known, around)) return candidate
    if (candidate.reposted === undefined) return []
    const asRepost = { ...known, isRepost: true }
    wantAccount(plan.where ?? rule, asRepost)
    if (!holds(plan.where ?? rule, asRepost, around)) return []
    const reposted = { ...candidate, repost: candidate.reposted, reposted: undefined }
    considered.set(id, asRepost)
    candidates.set(id, reposted)
    return reposted
  })
  return { considered, around, kept }
}

/**
 * Notes the author of a post of which a rule cannot tell, or could not but for what was known long
 * ago.
 */
function wanting(root: Rule | undefined, around: Surroundings, { question: { accounts } }: Inquiry) {
  const isAsked = accounts !== undefined && root !== undefined && asksAccount(root)
  return (rule: Rule, considered: Considered): void => {
    const { account, post } = considered
    if (!isAsked || (account && around.now < reliableUntil(account, accounts.ageMsMax))) return
    if (tell(rule, { ...considered, account: undefined }, around) === undefined) accounts.want(post.author)
  }
}

/** Finds out what the rules ask about the posts, and no more. */
export async function consider(
  candidates: readonly Candidate[],
  rules: readonly Rule[],
  ruleFor: (candidate: Candidate) => Rule,
  inquiry: Inquiry,
): Promise<{ considered: Map<PostId, Considered>; around: Surroundings }> {
  const parts = rules.flatMap((rule) => [...rulesIn(rule)])
  const duplicates = new Set(parts.flatMap((rule) => (rule.op === 'duplicate' ? rule.of : [])))
  const labelers = new Set(parts.flatMap((rule) => (rule.op === 'label' ? rule.by : [])))
  const read = candidates.filter((candidate) => duplicates.size > 0 || asksRecord(ruleFor(candidate)))
  const features = await inquiry.features(read.map(({ post }) => post.id))
  const labels =
    labelers.size > 0
      ? await inquiry.facts.labels(
          candidates.map(({ post }) => post.id),
          [...labelers],
        )
      : undefined
  const accounts = parts.some(({ op }) => op === 'account')
    ? await inquiry.facts.accountFacts([...new Set(candidates.map(({ post }) => post.author))])
    : undefined
  const sets = new Map<object, ReadonlySet<AccountId>>()
  inquiry.check()
  for (const rule of parts)
    if (rule.op === 'author') sets.set(rule.set, new Set(await inquiry.accountsOf(rule.set)))
  const considered = new Map(
    candidates.map(({ post, repost }): [PostId, Considered] => [
      post.id,
      {
        post,
        isRepost: repost !== undefined,
        features: features.get(post.id),
        labels: labels?.get(post.id),
        account: accounts?.get(post.author),
      },
    ]),
  )
  const repeated = new Map(
    [...duplicates].map((of) => [of, repeatedIn([...considered.values()], of, inquiry)]),
  )
  return {
    considered,
    around: { now: inquiry.question.now, sets: sets as Surroundings['sets'], duplicates: repeated },
  }
}

/** All that say, link or show what an older one does. */
function repeatedIn(considered: readonly Considered[], of: DuplicateOf, inquiry: Inquiry): Set<PostId> {
  const seen = new Set<string>()
  const repeated = new Set<PostId>()
  for (const { post, features } of [...considered].sort((a, b) => older(a.post, b.post))) {
    inquiry.check()
    const what =
      of === 'text' ? features?.words('text') : of === 'link' ? features?.texts.link : features?.blobs
    if (!what) continue
    if (seen.has(what)) repeated.add(post.id)
    else seen.add(what)
  }
  return repeated
}

function older(a: PostFacts, b: PostFacts): number {
  return a.sortAt - b.sortAt || a.id - b.id
}

// --- arrange

/** In which lane each post is, and which page it links. */
async function laneFacts(
  plan: Plan,
  scored: readonly Scored[],
  inquiry: Inquiry,
): Promise<{ lanes: Map<PostId, number>; links: Map<PostId, string> }> {
  const top = scored.slice(0, arrangedPostsMax).map(({ candidate }) => candidate)
  const lanes = new Map<PostId, number>()
  if (plan.lanes.length > 0) {
    const rules = plan.lanes.map(({ rule }) => rule)
    const either: Rule = { op: 'any', path: 'arrange/mix', rules }
    const { considered, around } = await consider(top, rules, () => either, inquiry)
    const wantAccount = wanting(either, around, inquiry)
    for (const [id, post] of considered) {
      inquiry.check()
      for (const rule of rules) wantAccount(rule, post)
      const lane = rules.findIndex((rule) => holds(rule, post, around))
      if (lane >= 0) lanes.set(id, lane)
    }
  }
  const links = new Map<PostId, string>()
  if (plan.definition.arrange?.unique?.includes('link')) {
    const ids = top.map(({ post }) => post.id)
    const features = await inquiry.features(ids)
    for (const id of ids) links.set(id, features.get(id)?.texts.link ?? '')
  }
  return { lanes, links }
}

function arranged(
  plan: Plan,
  scored: readonly Scored[],
  { lanes, links }: { lanes: Map<PostId, number>; links: Map<PostId, string> },
): Ranked[] {
  const { perAuthor, freshEvery, mix, unique = [], limit = rankedPostsMax } = plan.definition.arrange ?? {}
  const items = scored.slice(0, arrangedPostsMax).map(({ candidate: { post, repost }, score }) => {
    const shares: (number | string)[] = unique.includes('thread') ? [post.root ?? post.id] : []
    const link = links.get(post.id)
    if (link) shares.push(link)
    return {
      id: post.id,
      author: post.author,
      repost: repost?.uri,
      score,
      at: post.sortAt,
      shares,
      lane: lanes.get(post.id),
    }
  })
  const options = { perAuthor, freshEvery, shares: mix?.lanes.map(({ share }) => share), limit }
  return arrange(items, options).map(({ id, author, repost, score }) => ({ id, author, repost, score }))
}

// --- viewer and place

/** What of the items the viewer is shown, by the rules for viewers. */
export async function forViewer<T extends Ranked>(
  plan: Plan,
  items: readonly T[],
  inquiry: Inquiry,
): Promise<readonly T[]> {
  const { hide = [], feedback } = plan.definition.viewer ?? {}
  const { facts } = inquiry
  if (items.length === 0 || (hide.length === 0 && !feedback)) return items
  const viewer = await inquiry.viewer()
  if (viewer === undefined) return items
  const ids = items.map(({ id }) => id)
  const hidden = new Set<PostId>()
  if (hide.includes('seen')) for (const id of await facts.seen(viewer, ids)) hidden.add(id)
  if (hide.includes('liked')) for (const id of await facts.liked(viewer, ids)) hidden.add(id)
  const authors = [...new Set(items.map(({ author }) => author))]
  const blocked = hide.includes('blocked') ? await facts.blocked(viewer, authors) : new Set<AccountId>()
  const own = hide.includes('own') ? viewer : undefined
  const shown = items.filter(({ id, author }) => !hidden.has(id) && !blocked.has(author) && author !== own)
  return feedback ? moved(shown, await facts.feedback(viewer)) : shown
}

/** Requests for an author count up to so many. */
const feedbackMax = 6

/**
 * Each request for less of an author puts their posts twice as far down; one for more, half as far.
 */
function moved<T extends Ranked>(
  items: readonly T[],
  feedback: ReadonlyMap<AccountId, number>,
): readonly T[] {
  return items
    .map((item, i) => {
      const wish = Math.max(-feedbackMax, Math.min(feedbackMax, feedback.get(item.author) ?? 0))
      return { item, place: (i + 1) * 2 ** -wish }
    })
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item)
}

async function place(plan: Plan, items: readonly Ranked[], inquiry: Inquiry): Promise<readonly Ranked[]> {
  const { pin, manualAdd = [], manualRemove = [] } = plan.definition.place ?? {}
  const named = [...(pin ? [pin] : []), ...manualAdd, ...manualRemove]
  if (named.length === 0) return items
  const known = await inquiry.facts.postsByUri(named)
  const removed = new Set(manualRemove.flatMap((uri) => known.get(uri)?.id ?? []))
  const top = [...(pin ? [pin] : []), ...manualAdd].flatMap((uri): Ranked[] => {
    const post = known.get(uri)
    return post ? [{ id: post.id, author: post.author, score: 0, isPin: uri === pin || undefined }] : []
  })
  const first = [...new Map([...top].reverse().map((item) => [item.id, item])).values()].reverse()
  const isFirst = new Set(first.map(({ id }) => id))
  return [...first, ...items.filter(({ id }) => !isFirst.has(id))].filter(({ id }) => !removed.has(id))
}
