/** An algorithm as feeds are made by it: a live definition, or a built-in one. */
import { type Plan, sourcesIn } from '../algorithm/compile.ts'
import type { DefinitionId } from '../algorithm/facts.ts'
import type { EvalRequest } from '../engine/jobs.ts'

export interface FeedAlgorithm {
  /** What its lists are kept under; changes with what is served. */
  readonly key: string
  /** Of what is served; absent when that cannot be made ready. */
  readonly plan?: Plan
  /** Under which number posts are matched for it as they come; absent when none are. */
  readonly id?: DefinitionId
  /** Whether all posts of the past are matched. */
  readonly isFilled?: boolean
  /**
   * Set while its lists take longer than they may: how often in a row, and when the next is tried.
   */
  overrun?: { readonly times: number; readonly retryAt: number }
}

/** Finds the algorithm of a feed that is served here, by the URI of the feed's record. */
export type FindAlgorithm = (uri: string) => Promise<FeedAlgorithm | undefined>

/**
 * An algorithm as the engine evaluates it. What was matched for it counts once its past was.
 * @throws Error when it has no plan
 */
export function requestOf({ plan, id, isFilled }: FeedAlgorithm): EvalRequest {
  if (plan === undefined) throw new Error('only an algorithm with a plan can be evaluated')
  return { definition: plan.definition, id: isFilled ? id : undefined }
}

/** The other feeds that an algorithm's sources name, and those that theirs do. */
export async function feedsOf(
  algorithm: Pick<FeedAlgorithm, 'plan'>,
  find: FindAlgorithm,
): Promise<ReadonlyMap<string, EvalRequest>> {
  const feeds = new Map<string, EvalRequest>()
  const waiting = [algorithm]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const { source } of sourcesIn(next.plan?.definition.sources ?? [], '')) {
      if (source.kind !== 'feed' || feeds.has(source.uri)) continue
      const other = await find(source.uri)
      if (other?.plan === undefined) continue
      feeds.set(source.uri, requestOf(other))
      waiting.push(other)
    }
  }
  return feeds
}
