/**
 * Takes in the past for definitions that are new or changed: the posts that would have been taken
 * in, had the definition stood there when they came. One definition after the other, in steps
 * between which everything else goes on; until its past is there, a definition is ranked by a
 * search.
 */

import { setImmediate as immediate } from 'node:timers/promises'
import { type Logger, logger } from '#platform/log.ts'
import { HOUR_MS } from '#platform/time.ts'
import type { PostFacts } from '../algorithm/facts.ts'
import { sift } from '../engine/candidates.ts'
import { Inquiry } from '../engine/context.ts'
import type { Facts } from '../engine/index-queries.ts'
import type { MatchWriter } from '../index/stored-definitions.ts'
import type { LiveDefinition } from './live-definitions.ts'

export interface FillOptions {
  facts: Facts
  writer: MatchWriter
}

const stepPosts = 500
/** Posts that are looked at for one definition; those before are found by nobody. */
const filledPostsMax = 500_000

export class Fill implements AsyncDisposable {
  readonly #options: FillOptions
  readonly #log: Logger = logger('algorithms')
  /** By number, the newest version of each. */
  readonly #waiting = new Map<number, LiveDefinition>()
  #running: Promise<void> | undefined
  #isStopped = false

  constructor(options: FillOptions) {
    this.#options = options
  }

  /** Has the past taken in for those that lack it. Others of before are no longer waited for. */
  fill(served: readonly LiveDefinition[]): void {
    this.#waiting.clear()
    for (const live of served) if (!live.isFilled && live.plan?.intake) this.#waiting.set(live.id, live)
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
  }

  /** Resolves once nothing is left to be taken in. */
  async idle(): Promise<void> {
    await this.#running
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true
    await this.#running
  }

  async #run(): Promise<void> {
    for (;;) {
      const [live] = this.#waiting.values()
      if (live === undefined || this.#isStopped) return
      try {
        await this.#fillOne(live)
      } catch (error) {
        // What is not taken in is searched; the next change tries again.
        this.#log.error(
          {
            err: error,
            definition: live.uri,
            todo: 'look at the error; posts that come now are in the feed',
          },
          'the past cannot be taken in',
        )
      }
      if (this.#waiting.get(live.id) === live) this.#waiting.delete(live.id)
    }
  }

  async #fillOne(live: LiveDefinition): Promise<void> {
    const { facts, writer } = this.#options
    const { id, plan, served } = live
    if (plan?.intake === undefined || served === undefined) return
    const isCurrent = () => !this.#isStopped && this.#waiting.get(id) === live
    const now = Date.now()
    await writer.removeMatches(id)
    const since = now - plan.windowHours * HOUR_MS
    let after: PostFacts | undefined
    for (let looked = 0; looked < filledPostsMax && isCurrent(); looked += stepPosts) {
      const posts = await facts.newest({ since, limit: stepPosts, after })
      const wanted = await sift(posts, plan.intake, new Inquiry({ facts, now }))
      if (wanted.length > 0)
        await writer.addMatches(
          id,
          wanted.map((post) => post.id),
        )
      if (posts.length < stepPosts) break
      after = posts.at(-1)
      await immediate()
    }
    if (!isCurrent()) return
    await writer.setFilled(id, served.version)
    live.isFilled = true
  }
}
