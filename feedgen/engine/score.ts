/** The third stage: what each post is worth, and the order that follows from it. */

import { HOUR_MS } from '#platform/time.ts'
import type { Plan } from '../algorithm/compile.ts'
import type { Order, Term } from '../algorithm/definition.ts'
import type { AccountId, PostId } from '../algorithm/facts.ts'
import { type Candidate, colikesOf } from './candidates.ts'
import type { Inquiry } from './context.ts'
import { chance, curveOf, fadeOf } from './curves.ts'

/** A post and its score; what each term adds to it stands in the order of the terms. */
export interface Scored {
  readonly candidate: Candidate
  readonly score: number
  readonly terms: readonly number[]
}

/** The posts of a random order change places this often. */
const randomEveryMs = HOUR_MS
/** Authors that a viewer has to do with. */
const affinitiesMax = 5000

/** The posts with their scores, in their order, the best first. */
export async function score(
  plan: Plan,
  candidates: readonly Candidate[],
  inquiry: Inquiry,
): Promise<Scored[]> {
  const { order, terms = [], fade } = plan.definition.score ?? { order: 'newest' as const }
  const { now } = inquiry.question
  const values = await Promise.all(terms.map((term) => valuesOf(term, candidates, inquiry)))
  const seed = Math.floor(now / randomEveryMs)
  return candidates
    .map((candidate, i): Scored => {
      const parts = terms.map(({ weightMilli }, t) => (weightMilli / 1000) * (values[t]?.[i] as number))
      const { post } = candidate
      const sum = parts.reduce((total, part) => total + part, 0)
      const faded = fade ? sum * fadeOf((now - post.sortAt) / HOUR_MS, fade) : sum
      return { candidate, score: scoreBy(order, faded, candidate, seed), terms: parts }
    })
    .sort(better)
}

/** When a post is there: as a repost, since that. */
export function timeOf({ post, repost }: Candidate): number {
  return repost?.sortAt ?? post.sortAt
}

function scoreBy(order: Order, sum: number, candidate: Candidate, seed: number): number {
  switch (order) {
    case 'score':
      return sum
    case 'newest':
      return timeOf(candidate)
    case 'oldest':
      return -timeOf(candidate)
    case 'random':
      return chance(seed, candidate.post.id)
  }
}

/** Of the same score, the newer; of the same time, one and always the same. */
function better(a: Scored, b: Scored): number {
  return (
    b.score - a.score ||
    timeOf(b.candidate) - timeOf(a.candidate) ||
    b.candidate.post.id - a.candidate.post.id
  )
}

/** What a term says of each post, before its weight. */
async function valuesOf(term: Term, candidates: readonly Candidate[], inquiry: Inquiry): Promise<number[]> {
  const { facts } = inquiry
  switch (term.kind) {
    case 'likes':
    case 'reposts':
    case 'replies':
    case 'quotes': {
      const exponent = (term.exponentMilli ?? 1000) / 1000
      return candidates.map(({ post }) => curveOf(post[term.kind], term.curve, exponent))
    }
    case 'affinity': {
      const viewer = await inquiry.viewer()
      const done: ReadonlyMap<AccountId, number> =
        viewer === undefined ? new Map() : await facts.affinities(viewer, { limit: affinitiesMax })
      return candidates.map(({ post }) => curveOf(done.get(post.author) ?? 0, 'log'))
    }
    case 'colike': {
      const weights: ReadonlyMap<PostId, number> = await colikesOf({ kind: 'viewerLikes' }, inquiry)
      return candidates.map(({ post }) => weights.get(post.id) ?? 0)
    }
    case 'prior': {
      if (term.of === 'all') return candidates.map(() => 1)
      const authors = await facts.authors([...new Set(candidates.map(({ post }) => post.author))])
      return candidates.map(({ post }) => {
        const { posts, likes } = authors.get(post.author) ?? { posts: 0, likes: 0 }
        return term.of === 'quiet' ? 1 / (1 + posts) : curveOf(likes / Math.max(1, posts), 'log')
      })
    }
  }
}
