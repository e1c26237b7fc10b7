/**
 * What readers may ask about algorithms, their own and others': previews, explanations, backtests,
 * and the definitions themselves.
 */
import { overBounds } from '../algorithm/bounds.ts'
import { compile, type Plan, sourcesIn } from '../algorithm/compile.ts'
import { totalOf } from '../algorithm/cost.ts'
import { ALGORITHM_NSID, type Definition } from '../algorithm/definition.ts'
import { warningsOf } from '../algorithm/lint.ts'
import { InvalidDefinitionError, readDefinition } from '../algorithm/read.ts'
import { type FindRecord, missingOf } from '../algorithm/references.ts'
import type { Warning } from '../algorithm/warning.ts'
import type { Evaluator, JobAsker } from '../engine/evaluator.ts'
import type { Explanation } from '../engine/explain.ts'
import type { Backtest, Preview } from '../engine/jobs.ts'
import { feedsOf, requestOf } from './feed-algorithm.ts'
import {
  type Definitions,
  feedUriOf,
  GENERATOR_NSID,
  type LiveDefinition,
  type Refusal,
  tooDear,
} from './live-definitions.ts'
import type { Registry, ServedBuiltIn } from './registry.ts'

export interface InquiriesOptions {
  definitions: Definitions
  registry: Pick<Registry, 'algorithm' | 'findBuiltIn'>
  evaluator: Evaluator
  /** Points that a definition may cost. */
  costMax: number
  /** Whether an AppView is asked about the accounts of authors; it is, unless said otherwise. */
  knowsAccounts?: boolean
  /** How long posts are kept that no feed needs. */
  retentionHours?: number
  /** Tells whether records exist that definitions name; without it nothing is said of that. */
  find?: FindRecord
}

/** A definition as others read it. */
export interface AlgorithmView {
  readonly uri: string
  readonly creator: string
  readonly feed: string
  readonly served: boolean
  /** Why what the record says is refused; when `served`, what it said before is served. */
  readonly refusal?: { path: string; reason: string }
  /** The bound that it is over, although it is served. */
  readonly overLimit?: { path: string; reason: string }
  readonly cost?: number
  /** Whether it comes with the software, so that there is no record at `uri`. */
  readonly builtIn?: true
  readonly definition: unknown
}

export interface Asker extends JobAsker {
  /** The DID of who asks, for whom the answer is; absent when that is nobody known. */
  readonly viewer?: string
}

export class Inquiries {
  readonly #options: InquiriesOptions

  constructor(options: InquiriesOptions) {
    this.#options = options
  }

  /**
   * What a definition that need not be published would show now.
   * @throws InvalidDefinitionError, DomainError
   */
  async preview(
    record: unknown,
    { viewer, limit, ...asker }: Asker & { limit: number },
  ): Promise<Omit<Preview, 'accountsWanted'> & { cost: number; warnings: Warning[] }> {
    const plan = this.#planOf(record)
    const { definition } = plan
    const feeds = await feedsOf({ plan }, this.#find)
    const job = { kind: 'preview', definition, feeds, viewer, limit, now: Date.now() } as const
    const { evaluator, find, knowsAccounts, retentionHours } = this.#options
    const { accountsWanted, ...preview } = await evaluator.run(job, asker)
    const missing = find ? await missingOf(definition, find) : []
    const warnings = [
      ...warningsOf(definition, { knowsAccounts, retentionHours }),
      ...(await this.#notServed(definition)),
      ...missing,
      ...beingRead(accountsWanted),
    ]
    return { ...preview, cost: totalOf(plan.cost), warnings }
  }

  /** Feeds that the definition takes posts from, and that are none of this host's. */
  async #notServed({ sources }: Definition): Promise<Warning[]> {
    const warnings: Warning[] = []
    for (const { source, path } of sourcesIn(sources, 'sources')) {
      if (source.kind !== 'feed' || (await this.#find(source.uri))) continue
      const says = 'is not served by an algorithm here, so this host takes no posts from it'
      warnings.push({ path: `${path}/uri`, kind: 'never', says })
    }
    return warnings
  }

  /**
   * Why a post is, or is not, in the feed of a definition; undefined when no such feed is served
   * here.
   * @throws DomainError
   */
  async explain(
    feed: string,
    { viewer, post, ...asker }: Asker & { post: string },
  ): Promise<(Explanation & { refusal?: Refusal }) | undefined> {
    const algorithm = await this.#find(feed)
    if (algorithm === undefined) return undefined
    const feeds = await feedsOf(algorithm, this.#find)
    const job = { kind: 'explain', ...requestOf(algorithm), feeds, viewer, post, now: Date.now() } as const
    const explanation = await this.#options.evaluator.run(job, asker)
    const live = this.#options.definitions.find(feed)
    return live?.refusal ? { ...explanation, refusal: live.refusal } : explanation
  }

  /**
   * How many posts a definition would have had in the past hours.
   * @throws InvalidDefinitionError, DomainError
   */
  async backtest(record: unknown, { viewer, hours, ...asker }: Asker & { hours: number }): Promise<Backtest> {
    const plan = this.#planOf(record)
    const feeds = await feedsOf({ plan }, this.#find)
    const { definition } = plan
    const job = { kind: 'backtest', definition, feeds, viewer, hours, now: Date.now() } as const
    return this.#options.evaluator.run(job, asker)
  }

  /** The definition of a feed, served or refused; a built-in feed's too. */
  async algorithm(feed: string): Promise<AlgorithmView | undefined> {
    const live = this.#options.definitions.find(feed)
    if (live) return viewOf(live)
    const builtIn = await this.#options.registry.findBuiltIn(feedUriOf(feed))
    return builtIn && viewOfBuiltIn(builtIn)
  }

  /**
   * Definitions that are known here, of one account if that is given, from behind a number on; and
   * the number of the last one if there are more.
   */
  algorithms({ creator, after, limit }: { creator?: string; after: number; limit: number }): {
    algorithms: AlgorithmView[]
    last?: number
  } {
    const behind = this.#options.definitions
      .all()
      .filter(({ id, author }) => id > after && (creator === undefined || author === creator))
    const page = behind.slice(0, limit)
    return {
      algorithms: page.map(viewOf),
      last: behind.length > limit ? page.at(-1)?.id : undefined,
    }
  }

  /** The algorithm of a feed, by the URI of the feed's record or of its own. */
  readonly #find = (uri: string) => this.#options.registry.algorithm(feedUriOf(uri))

  #planOf(record: unknown): Plan {
    const definition = readDefinition(record)
    const over = overBounds(definition)
    if (over) throw new InvalidDefinitionError(over.path, over.reason)
    const plan = compile(definition)
    const refusal = tooDear(plan, this.#options.costMax)
    if (refusal) throw new InvalidDefinitionError(refusal.path, refusal.reason)
    return plan
  }
}

/** That a preview may lack posts, or have some too many, for what is not read yet. */
function beingRead(accounts: number): Warning[] {
  const says = `depends on accounts that the AppView is still asked about (${accounts}): try again in a moment`
  return accounts > 0 ? [{ path: '', kind: 'unknown', says }] : []
}

function viewOfBuiltIn({ feed, author, builtIn }: ServedBuiltIn): AlgorithmView {
  const uri = feed.replace(`/${GENERATOR_NSID}/`, `/${ALGORITHM_NSID}/`)
  const { record, plan } = builtIn
  return {
    uri,
    creator: author,
    feed,
    served: true,
    builtIn: true,
    cost: totalOf(plan.cost),
    definition: record,
  }
}

function viewOf(live: LiveDefinition): AlgorithmView {
  const { uri, author, feed, isServed, refusal, plan, record } = live
  return {
    uri,
    creator: author,
    feed,
    served: isServed,
    refusal,
    overLimit: isServed ? overLimitOf(live) : undefined,
    cost: plan && totalOf(plan.cost),
    definition: record ?? {},
  }
}

function overLimitOf({ overLimit, overrun }: LiveDefinition): AlgorithmView['overLimit'] {
  if (overrun === undefined) return overLimit
  return { path: '', reason: 'its lists take too long to make, so older ones are served' }
}
