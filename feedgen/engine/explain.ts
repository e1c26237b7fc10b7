/** Why a post is in a feed, or is not: read off the very evaluation that makes the feed. */

import type { Plan } from '../algorithm/compile.ts'
import type { PostId } from '../algorithm/facts.ts'
import { type Considered, type Rule, type Surroundings, tell } from '../algorithm/rule.ts'
import type { Candidate } from './candidates.ts'
import { Inquiry, type Question } from './context.ts'
import { consider, type Ranking, rank, type StageName, show } from './evaluate.ts'

/** A part of the definition, and what it says of the post. */
export interface Reason {
  readonly path: string
  readonly says: string
  /** What it adds to the score, in thousandths. */
  readonly pointsMilli?: number
}

export interface Explanation {
  readonly present: boolean
  /** Its place in the feed; the first is 1. */
  readonly place?: number
  /** The stage that it did not pass; `index` when the post is not known here. */
  readonly lostAt?: StageName | 'index'
  readonly score?: number
  readonly why: readonly Reason[]
}

/** Why a post of the index is where it is. */
export async function explain(plan: Plan, question: Question, post: PostId): Promise<Explanation> {
  const asked = { ...question, watch: post }
  const ranking = await rank(plan, asked)
  const why = (await reasonsOf(plan, ranking, asked, [post])).get(post) ?? []
  const { candidates, scored } = ranking.grounds
  const score = scored.get(post)?.score
  const shown = await show(plan, ranking.items, asked)
  const place = shown.items.findIndex(({ id }) => id === post) + 1
  if (place > 0) return { present: true, place, score, why }
  const lostAt = !candidates.has(post)
    ? 'sources'
    : !scored.has(post)
      ? 'where'
      : ranking.items.every(({ id }) => id !== post)
        ? 'arrange'
        : plan.definition.place?.manualRemove !== undefined && (await isRemoved(plan, asked, post))
          ? 'place'
          : 'viewer'
  return { present: false, lostAt, score, why }
}

async function isRemoved(plan: Plan, { facts }: Question, post: PostId): Promise<boolean> {
  const removed = await facts.postsByUri(plan.definition.place?.manualRemove ?? [])
  return [...removed.values()].some(({ id }) => id === post)
}

/** What the parts of the definition say of posts of a ranking. */
export async function reasonsOf(
  plan: Plan,
  { grounds }: Ranking,
  question: Question,
  ids: readonly PostId[],
): Promise<Map<PostId, Reason[]>> {
  const { candidates, scored } = grounds
  const asked = ids.flatMap((id) => candidates.get(id) ?? [])
  const rules = plan.where ? [plan.where] : []
  const inquiry = new Inquiry(question)
  // Asked again, since a record that decided when the post came by was not looked at for the
  // ranking.
  const { considered } = await consider(plan.where ? asked : [], rules, () => plan.where as Rule, inquiry)
  return new Map(
    asked.map((candidate): [PostId, Reason[]] => {
      inquiry.check()
      const { id } = candidate.post
      const known = considered.get(id)
      return [
        id,
        [
          ...sourceReasons(candidate),
          ...(plan.where && known ? ruleReasons(plan.where, known, grounds.around) : []),
          ...(scored.get(id)?.terms ?? []).map((points, i) => ({
            path: `score/terms/${i}`,
            says: plan.definition.score?.terms?.[i]?.kind ?? '',
            pointsMilli: Math.round(points * 1000),
          })),
        ],
      ]
    }),
  )
}

function sourceReasons({ from, repost }: Candidate): Reason[] {
  return from.map((path) => ({
    path,
    says: repost ? `brought the repost ${repost.uri}` : 'brought the post',
  }))
}

/** What each filter says by itself. */
function ruleReasons(rule: Rule, considered: Considered, around: Surroundings): Reason[] {
  const answer = tell(rule, considered, around)
  const says = answer === undefined ? 'cannot tell' : answer ? 'yes' : 'no'
  const inner = rule.op === 'not' ? [rule.rule] : rule.op === 'all' || rule.op === 'any' ? rule.rules : []
  return [{ path: rule.path, says }, ...inner.flatMap((part) => ruleReasons(part, considered, around))]
}
