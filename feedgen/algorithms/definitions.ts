/**
 * The definitions that are live: kept up with their records, made ready, or refused with the reason. A feed is served by a definition once its feed record
 * names this service and nothing speaks against the definition; from then on posts are taken in for it, and its past is.
 */
import { type Logger, logger } from '#platform/log.ts'
import { CborError, decode } from '#protocol/cbor.ts'
import type { DefinitionReader, StoredDefinition } from '../facts/definitions.ts'
import type { DefinitionId } from '../facts/facts.ts'
import { overBounds } from './bounds.ts'
import { dearest, totalOf, withoutRanking } from './cost.ts'
import { ALGORITHM_NSID, type Definition } from './definition.ts'
import { Matcher } from './matcher.ts'
import { compile, type Plan } from './plan.ts'
import { InvalidDefinitionError, readDefinition } from './read.ts'

export const GENERATOR_NSID = 'app.bsky.feed.generator'

/** Why no feed is served by a definition, and which part of it is at fault. */
export interface Refusal {
  readonly path: string
  readonly reason: string
}

export interface LiveDefinition {
  readonly id: DefinitionId
  readonly author: string
  readonly rkey: string
  readonly version: number
  /** The URI of its record, and of the feed record beside it. */
  readonly uri: string
  readonly feed: string
  /** What the record says; absent when that cannot be read. */
  readonly record?: unknown
  /** Absent when it is refused for what it says. */
  readonly plan?: Plan
  readonly refusal?: Refusal
  /** What a new definition would be refused for; this one was live before that was. */
  readonly overLimit?: Refusal
  /** Set while its lists take longer than they may: how often in a row, and when the next is tried. */
  overrun?: { readonly times: number; readonly retryAt: number }
  /** Whether it cannot be told now who may publish it, so that it is looked at again. */
  readonly isUndecided?: boolean
  readonly isServed: boolean
  /** Whether all posts of the past are taken in. */
  isFilled: boolean
}

type Read = Pick<LiveDefinition, 'record' | 'plan' | 'refusal' | 'overLimit' | 'isUndecided'>

export interface DefinitionsOptions {
  reader: DefinitionReader
  /** Whether an account may have feeds here. */
  mayPublish(did: string): Promise<boolean>
  /** Points: see `cost.ts`. */
  costMax: number
}

/** How long a change may go unnoticed where the process that writes is another. */
const pollMs = 1000

export class Definitions implements AsyncDisposable {
  /** What looks at each post that is indexed. */
  readonly matcher = new Matcher()
  readonly #options: DefinitionsOptions
  readonly #log: Logger = logger('algorithms')
  readonly #live = new Map<DefinitionId, LiveDefinition>()
  readonly #byFeed = new Map<string, LiveDefinition>()
  readonly #listeners = new Set<(served: readonly LiveDefinition[]) => void>()
  readonly #timer: NodeJS.Timeout
  #version = 0
  #generators = ''
  #refreshing: Promise<void> = Promise.resolve()

  /** Begins to look for changes that nobody tells of. */
  constructor(options: DefinitionsOptions) {
    this.#options = options
    this.#timer = setInterval(() => this.wake(), pollMs).unref()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    await this.#refreshing.catch(() => undefined)
  }

  /** Hands over all that are served, now and after each change, until what is returned is called. */
  onChange(listener: (served: readonly LiveDefinition[]) => void): () => void {
    this.#listeners.add(listener)
    listener(this.served())
    return () => void this.#listeners.delete(listener)
  }

  /** Says that something may have changed. */
  wake(): void {
    this.refresh().catch((error) =>
      this.#log.error(
        { err: error, todo: 'see whether the database answers; the definitions that were read before stay' },
        'the definitions cannot be read',
      ),
    )
  }

  /** Takes in what changed in the records. */
  refresh(): Promise<void> {
    const refreshing = this.#refreshing.catch(() => undefined).then(() => this.#refresh())
    this.#refreshing = refreshing
    return refreshing
  }

  /** The definition of a feed, by the URI of the feed record or of its own. */
  find(uri: string): LiveDefinition | undefined {
    return this.#byFeed.get(uri.replace(`/${ALGORITHM_NSID}/`, `/${GENERATOR_NSID}/`))
  }

  /** What is served by the definition of that number, if it is served. */
  get(id: DefinitionId): LiveDefinition | undefined {
    const live = this.#live.get(id)
    return live?.isServed ? live : undefined
  }

  served(): LiveDefinition[] {
    return this.all().filter(({ isServed }) => isServed)
  }

  /** All that are known, in the order in which they were first seen. */
  all(): LiveDefinition[] {
    return [...this.#live.values()].sort((a, b) => a.id - b.id)
  }

  async #refresh(): Promise<void> {
    const { reader } = this.#options
    // The past of those may have been taken in meanwhile, which makes no new version of them.
    const again = this.all().filter(
      ({ isUndecided, isServed, isFilled, plan }) => isUndecided || (isServed && !isFilled && plan?.intake),
    )
    const after = Math.min(this.#version, ...again.map(({ version }) => version - 1))
    const [found, generators] = await Promise.all([reader.definitions(after), reader.generators()])
    const rows = found.filter((row) => !this.#isKnown(row))
    const feeds = new Set(generators.map(({ uri }) => uri))
    const names = [...feeds].sort().join(' ')
    if (rows.length === 0 && names === this.#generators) return
    for (const row of rows) this.#put(row, await this.#read(row), feeds)
    for (const live of this.#live.values()) {
      const isServed = live.refusal === undefined && feeds.has(live.feed)
      if (isServed !== live.isServed) this.#keep({ ...live, isServed })
    }
    this.#version = rows.reduce((newest, { version }) => Math.max(newest, version), this.#version)
    this.#generators = names
    const served = this.served()
    for (const listener of this.#listeners) listener(served)
  }

  /** Whether nothing about the definition is new, but perhaps that its past is there. */
  #isKnown({ id, version, filledVersion }: StoredDefinition): boolean {
    const live = this.#live.get(id)
    if (live?.version !== version || live.isUndecided) return false
    live.isFilled ||= isFilledFor(version, filledVersion)
    return true
  }

  async #read(row: StoredDefinition): Promise<Read> {
    if (row.record === null) return {}
    let record: unknown
    try {
      record = decode(row.record)
      const definition: Definition = readDefinition(record)
      const isOld = row.allowedVersion === row.version
      const over = overBounds(definition)
      // Before it is made ready, which takes time for each expression.
      if (over && !isOld) return { record, refusal: over }
      const plan = compile(definition)
      return { record, plan, ...(await this.#admit(row, plan, { isOld, over })) }
    } catch (error) {
      if (error instanceof InvalidDefinitionError)
        return { record, refusal: { path: error.path, reason: error.reason } }
      if (error instanceof CborError) return { refusal: { path: '', reason: error.message } }
      throw error
    }
  }

  /** Whether anything besides what it says speaks against a definition. */
  async #admit(
    { author }: StoredDefinition,
    plan: Plan,
    { isOld, over }: { isOld: boolean; over: Refusal | undefined },
  ): Promise<Pick<Read, 'refusal' | 'overLimit' | 'isUndecided'>> {
    const { mayPublish, costMax } = this.#options
    try {
      if (await mayPublish(author)) {
        const dear = tooDear(plan, costMax)
        if (!isOld) return { refusal: dear }
        const before = tooDear({ cost: withoutRanking(plan.cost) }, costMax)
        return before ? { refusal: before } : { overLimit: over ?? dear }
      }
      return { refusal: { path: '', reason: 'feeds of this account are not served here' } }
    } catch (error) {
      this.#log.info({ err: error, author }, 'it cannot be told who may publish')
      const reason = 'where this account is cannot be told now'
      return { refusal: { path: '', reason }, isUndecided: true }
    }
  }

  #put(row: StoredDefinition, read: Read, feeds: ReadonlySet<string>): void {
    const { id, author, rkey, version, filledVersion } = row
    const uri = `at://${author}/${ALGORITHM_NSID}/${rkey}`
    const feed = `at://${author}/${GENERATOR_NSID}/${rkey}`
    if (row.record === null) {
      this.#live.delete(id)
      this.#byFeed.delete(feed)
      this.matcher.delete(id)
      return
    }
    if (read.refusal) this.#log.info({ uri, ...read.refusal }, 'a definition is refused')
    if (read.overLimit)
      this.#log.info(
        { uri, ...read.overLimit },
        'a definition is over a limit that came after it, and is served',
      )
    const isServed = read.refusal === undefined && feeds.has(feed)
    const isFilled = isFilledFor(version, filledVersion)
    this.#keep({ id, author, rkey, version, uri, feed, ...read, isServed, isFilled })
  }

  #keep(live: LiveDefinition): void {
    this.#live.set(live.id, live)
    this.#byFeed.set(live.feed, live)
    if (live.isServed && live.plan?.intake) this.matcher.set(live.id, live.plan.intake)
    else this.matcher.delete(live.id)
  }
}

function isFilledFor(version: number, filledVersion: number | null): boolean {
  return filledVersion !== null && filledVersion >= version
}

/** Why a plan costs more than is allowed, if it does. */
export function tooDear({ cost }: Pick<Plan, 'cost'>, costMax: number): Refusal | undefined {
  const total = totalOf(cost)
  if (total <= costMax) return undefined
  return {
    path: '',
    reason: `it costs ${total} points, and ${costMax} are allowed; the dearest parts: ${dearest(cost)}`,
  }
}
