/** What readers may ask about algorithms, their own and others': previews, explanations, backtests, and the definitions themselves. */
import { overBounds } from '../algorithm/bounds.ts'
import { compile, type Plan, sourcesIn } from '../algorithm/compile.ts'
import { totalOf } from '../algorithm/cost.ts'
import type { Definition } from '../algorithm/definition.ts'
import { warningsOf } from '../algorithm/lint.ts'
import { InvalidDefinitionError, readDefinition } from '../algorithm/read.ts'
import { type FindRecord, missingOf } from '../algorithm/references.ts'
import type { Warning } from '../algorithm/warning.ts'
import type { Evaluator, JobAsker } from '../engine/evaluator.ts'
import type { Explanation } from '../engine/explain.ts'
import type { Backtest, Preview } from '../engine/jobs.ts'
import { askedOf, feedsOf } from './defined.ts'
import { type Definitions, type LiveDefinition, type Refusal, tooDear } from './live-definitions.ts'

export interface InquiriesOptions {
  definitions: Definitions
  evaluator: Evaluator
  /** Points that a definition may cost. */
  costMax: number
  /** Whether an AppView is asked about the accounts of authors; it is, unless said otherwise. */
  knowsAccounts?: boolean
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
    const feeds = feedsOf({ plan }, this.#options)
    const job = { kind: 'preview', definition, feeds, viewer, limit, now: Date.now() } as const
    const { evaluator, find, knowsAccounts } = this.#options
    const { accountsWanted, ...preview } = await evaluator.run(job, asker)
    const missing = find ? await missingOf(definition, find) : []
    const warnings = [
      ...warningsOf(definition, { knowsAccounts }),
      ...this.#notServed(definition),
      ...missing,
      ...beingRead(accountsWanted),
    ]
    return { ...preview, cost: totalOf(plan.cost), warnings }
  }

  /** Feeds that the definition takes posts from, and that are none of this host's. */
  #notServed({ sources }: Definition): Warning[] {
    return [...sourcesIn(sources, 'sources')].flatMap(({ source, path }): Warning[] => {
      if (source.kind !== 'feed' || this.#options.definitions.find(source.uri)?.isServed) return []
      const says = 'is not served by an algorithm here, so this host takes no posts from it'
      return [{ path: `${path}/uri`, kind: 'never', says }]
    })
  }

  /**
   * Why a post is, or is not, in the feed of a definition; undefined when no such feed is served here.
   * @throws DomainError
   */
  async explain(
    feed: string,
    { viewer, post, ...asker }: Asker & { post: string },
  ): Promise<(Explanation & { refusal?: Refusal }) | undefined> {
    const live = this.#options.definitions.find(feed)
    if (!live?.isServed) return undefined
    const feeds = feedsOf(live, this.#options)
    const job = { kind: 'explain', ...askedOf(live), feeds, viewer, post, now: Date.now() } as const
    const explanation = await this.#options.evaluator.run(job, asker)
    return live.refusal ? { ...explanation, refusal: live.refusal } : explanation
  }

  /**
   * How many posts a definition would have had in the past hours.
   * @throws InvalidDefinitionError, DomainError
   */
  backtest(record: unknown, { viewer, hours, ...asker }: Asker & { hours: number }): Promise<Backtest> {
    const plan = this.#planOf(record)
    const feeds = feedsOf({ plan }, this.#options)
    const { definition } = plan
    const job = { kind: 'backtest', definition, feeds, viewer, hours, now: Date.now() } as const
    return this.#options.evaluator.run(job, asker)
  }

  /** The definition of a feed, served or refused. */
  algorithm(feed: string): AlgorithmView | undefined {
    const live = this.#options.definitions.find(feed)
    return live && viewOf(live)
  }

  /** Definitions that are known here, of one account if that is given, from behind a number on; and the number of the last one if there are more. */
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
