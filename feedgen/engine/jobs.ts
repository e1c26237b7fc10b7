/**
 * Evaluations as jobs: plain data in and out, so that they run here or on a thread of their own.
 */

import { HOUR_MS } from '#platform/time.ts'
import { compile, type Plan } from '../algorithm/compile.ts'
import type { Definition, Source } from '../algorithm/definition.ts'
import type { AccountId, DefinitionId, PostId } from '../algorithm/facts.ts'
import { type AccountWants, Inquiry, type Question } from './context.ts'
import { passing, type Ranked, rank, type StageReport, show } from './evaluate.ts'
import { type Explanation, explain, type Reason, reasonsOf } from './explain.ts'
import type { Facts } from './index-queries.ts'
import { timeOf } from './score.ts'

/** A definition, and under which number posts were matched for it. */
export interface EvalRequest {
  readonly definition: Definition
  readonly id?: DefinitionId
}

interface JobBase extends EvalRequest {
  readonly viewer?: string
  /** Milliseconds since 1970. */
  readonly now: number
  /** Other feeds, by the URIs under which sources name them. */
  readonly feeds?: ReadonlyMap<string, EvalRequest>
}

export type Job =
  | ({ readonly kind: 'rank' } & JobBase)
  | ({ readonly kind: 'show'; readonly items: readonly Shown[] } & JobBase)
  | ({ readonly kind: 'preview'; readonly limit: number } & JobBase)
  | ({ readonly kind: 'explain'; readonly post: string } & JobBase)
  | ({ readonly kind: 'backtest'; readonly hours: number } & JobBase)

/** A ranked post by its URI. */
export interface Shown {
  readonly id: PostId
  readonly author: AccountId
  readonly post: string
  readonly repost?: string
  readonly isPin?: boolean
  readonly score: number
}

export interface Preview {
  readonly items: readonly (Shown & { why: readonly Reason[] })[]
  readonly stages: readonly StageReport[]
  /** Accounts that an AppView is asked about for it. */
  readonly accountsWanted: number
}

export interface Backtest {
  /** For each hour that began so long ago (milliseconds since 1970) how many posts. */
  readonly hours: readonly { at: number; posts: number }[]
  readonly posts: number
  readonly examined: number
  /** Whether all of the past was looked at. */
  readonly complete: boolean
  readonly micros: number
}

export interface Answers {
  rank: readonly Shown[]
  show: readonly Shown[]
  preview: Preview
  explain: Explanation
  backtest: Backtest
}

export type Answer<J extends Job> = Answers[J['kind']]

/** How many feeds may be asked through each other. */
const feedDepthMax = 3

/**
 * Does a job over facts. Accounts of which it should know more are wanted of `accounts`.
 * @throws InvalidDefinitionError for a definition that was not compiled before; DeadlineError,
 * CancelledError
 */
export async function run<J extends Job>(
  job: J,
  facts: Facts,
  { deadline, accounts }: Pick<Question, 'deadline' | 'accounts'> = {},
): Promise<Answer<J>> {
  const plan = compile(job.definition)
  return answer(job, plan, questionOf(job, facts, { deadline, accounts })) as Promise<Answer<J>>
}

async function answer(job: Job, plan: Plan, question: Question): Promise<Answers[Job['kind']]> {
  const { facts } = question
  switch (job.kind) {
    case 'rank':
      return named((await rank(plan, question)).items, facts)
    case 'show':
      return named((await show(plan, job.items, question)).items, facts)
    case 'preview': {
      const wanted = new Set<AccountId>()
      const ranking = await rank(plan, { ...question, accounts: noting(question.accounts, wanted) })
      const { items, stages } = await show(plan, ranking.items, question)
      const page = await named(items.slice(0, job.limit), facts)
      const reasons = await reasonsOf(
        plan,
        ranking,
        question,
        page.map(({ id }) => id),
      )
      return {
        items: page.map((item) => ({ ...item, why: reasons.get(item.id) ?? [] })),
        stages: [...ranking.stages, ...stages],
        accountsWanted: wanted.size,
      }
    }
    case 'explain': {
      const post = (await facts.postsByUri([job.post])).get(job.post)
      if (post === undefined) return { present: false, lostAt: 'index', why: [] }
      return explain(plan, question, post.id)
    }
    case 'backtest':
      return backtest(job.definition, job.hours, question)
  }
}

/** The same, with what is wanted noted. */
function noting(accounts: AccountWants | undefined, noted: Set<AccountId>): AccountWants | undefined {
  return (
    accounts && {
      ...accounts,
      want(account) {
        noted.add(account)
        accounts.want(account)
      },
    }
  )
}

/** How far a backtest looks. */
const backtestReach = { postsMax: 100_000, scannedPostsMax: 200_000 }

/** The posts of the past hours that pass the first two stages, by the hour. */
async function backtest(definition: Definition, hours: number, question: Question): Promise<Backtest> {
  const start = performance.now()
  const since = question.now - hours * HOUR_MS
  // As if its sources looked back as far, and not for the best; what was matched goes back only as
  // far as the definition does.
  const plan = compile({ ...definition, sources: lookingBack(definition.sources, hours), score: undefined })
  const inquiry = new Inquiry({ ...question, definition: undefined, reach: backtestReach })
  const counts = Array.from({ length: hours }, () => 0)
  let posts = 0
  for (const candidate of await passing(plan, inquiry)) {
    const hour = Math.floor((timeOf(candidate) - since) / HOUR_MS)
    if (hour < 0 || hour >= hours) continue
    counts[hour] = (counts[hour] ?? 0) + 1
    posts++
  }
  return {
    hours: counts.map((count, hour) => ({ at: since + hour * HOUR_MS, posts: count })),
    posts,
    examined: inquiry.examined,
    complete: inquiry.complete,
    micros: Math.round((performance.now() - start) * 1000),
  }
}

function lookingBack(sources: readonly Source[], windowHours: number): Source[] {
  return sources.map((source): Source => {
    switch (source.kind) {
      case 'hop':
      case 'intersect':
        return { ...source, of: lookingBack(source.of, windowHours) }
      case 'minus':
        return {
          ...source,
          from: lookingBack(source.from, windowHours),
          take: lookingBack(source.take, windowHours),
        }
      case 'posts':
      case 'feed':
        return source
      default:
        return { ...source, windowHours }
    }
  })
}

function questionOf(
  job: Job,
  facts: Facts,
  context: Pick<Question, 'deadline' | 'accounts'>,
  depth = 0,
): Question {
  const { viewer, now, id, feeds } = job
  return {
    facts,
    now,
    viewer,
    definition: id,
    ...context,
    async feed(uri) {
      const other = feeds?.get(uri)
      if (other === undefined || depth >= feedDepthMax) return []
      const { items } = await rank(
        compile(other.definition),
        questionOf({ ...job, ...other }, facts, context, depth + 1),
      )
      return items.map(({ id }) => id)
    },
  }
}

async function named(items: readonly Ranked[], facts: Facts): Promise<Shown[]> {
  const uris = await facts.uris(items.map(({ id }) => id))
  return items.flatMap((item) => {
    const post = uris.get(item.id)
    return post === undefined ? [] : [{ ...item, post }]
  })
}
