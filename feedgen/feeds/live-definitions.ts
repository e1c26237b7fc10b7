/**
 * The definitions that are live: kept up with their records, made ready, or refused with the
 * reason. A feed is served by a definition once its feed record names this service and nothing
 * speaks against the definition; from then on posts are taken in for it, and its past is.
 */
import { type Logger, logger } from '#platform/log.ts'
import { CborError, decode } from '#protocol/cbor.ts'
import { overBounds } from '../algorithm/bounds.ts'
import { compile, type Plan } from '../algorithm/compile.ts'
import { dearest, totalOf, withoutRanking } from '../algorithm/cost.ts'
import { ALGORITHM_NSID, type Definition } from '../algorithm/definition.ts'
import type { DefinitionId } from '../algorithm/facts.ts'
import { InvalidDefinitionError, readDefinition } from '../algorithm/read.ts'
import type { DefinitionReader, StoredDefinition } from '../index/stored-definitions.ts'
import type { FeedAlgorithm } from './feed-algorithm.ts'
import { Matcher } from './matcher.ts'

export const GENERATOR_NSID = 'app.bsky.feed.generator'

/** The URI of the feed record beside an algorithm's; that of a feed record stays as it is. */
export function feedUriOf(uri: string): string {
  return uri.replace(`/${ALGORITHM_NSID}/`, `/${GENERATOR_NSID}/`)
}

/** Why no feed is served by a definition, and which part of it is at fault. */
export interface Refusal {
  readonly path: string
  readonly reason: string
}

/** A version of a definition against which nothing speaks. */
export interface ServedVersion {
  readonly version: number
  /** Its DAG-CBOR. */
  readonly record: Uint8Array
}

export interface LiveDefinition extends FeedAlgorithm {
  readonly id: DefinitionId
  readonly author: string
  readonly rkey: string
  readonly version: number
  /** The URI of its record, and of the feed record beside it. */
  readonly uri: string
  readonly feed: string
  /** What the record says; absent when that cannot be read. */
  readonly record?: unknown
  /** Of what is served; of what is refused, as far as that can be made ready. */
  readonly plan?: Plan
  /** Why what the record says is refused. */
  readonly refusal?: Refusal
  /** What is in service: what the record says, or said before an update that is refused. */
  readonly served?: ServedVersion
  /** Whether the index has what is in service, so that it stays so over a restart. */
  isKept: boolean
  /** What a new definition would be refused for; this one was live before that was. */
  readonly overLimit?: Refusal
  /** Whether it cannot be told now who may publish it, so that it is looked at again. */
  readonly isUndecided?: boolean
  readonly isServed: boolean
  /** Whether all posts of the past are taken in. */
  isFilled: boolean
}

type Read = Pick<LiveDefinition, 'record' | 'plan' | 'refusal' | 'overLimit' | 'isUndecided' | 'served'>

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
  /** Those of whose accounts it was logged that nothing can be told; until it can. */
  readonly #undecided = new Set<DefinitionId>()
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

  /**
   * Hands over all that are served, now and after each change, until what is returned is called.
   */
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
    return this.#byFeed.get(feedUriOf(uri))
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
      const isServed = live.served !== undefined && feeds.has(live.feed)
      if (isServed === live.isServed) continue
      // While it was not served nothing was taken in, and what had been was forgotten.
      this.#keep({ ...live, isServed, isFilled: live.isFilled && !isServed })
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
    live.isFilled ||= isFilledFor(live.served?.version ?? version, filledVersion)
    return true
  }

  /**
   * What a record comes to. Where that is refused, what was in service before stays so, unless that
   * would be refused too.
   */
  async #read(row: StoredDefinition): Promise<Read> {
    const { record, version } = row
    if (record === null) return {}
    const now = { version, record }
    const read = await this.#judge(row, now)
    if (read.refusal === undefined) return { ...read, served: now }
    const before = this.#servedBefore(row)
    if (before === undefined) return read
    const { plan, overLimit, refusal, isUndecided } = await this.#judge(row, before)
    // Where nothing can be told of an account, what was allowed goes on.
    if (plan === undefined || (refusal && !isUndecided)) return read
    return { ...read, plan, overLimit, served: before, isUndecided: isUndecided || read.isUndecided }
  }

  /** What was in service last, as this process remembers it or the index does. */
  #servedBefore({ id, servedVersion, servedRecord }: StoredDefinition): ServedVersion | undefined {
    const remembered = this.#live.get(id)?.served
    // Deletions have versions too: what is older than one is gone.
    if (remembered && remembered.version >= (servedVersion ?? 0)) return remembered
    if (servedVersion === null || servedRecord === null) return undefined
    return { version: servedVersion, record: servedRecord }
  }

  async #judge(row: StoredDefinition, { version, record: bytes }: ServedVersion): Promise<Read> {
    let record: unknown
    try {
      record = decode(bytes)
      const definition: Definition = readDefinition(record)
      const isOld = row.allowedVersion === version
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
    { id, author, rkey }: StoredDefinition,
    plan: Plan,
    { isOld, over }: { isOld: boolean; over: Refusal | undefined },
  ): Promise<Pick<Read, 'refusal' | 'overLimit' | 'isUndecided'>> {
    const { mayPublish, costMax } = this.#options
    try {
      const isAllowed = await mayPublish(author)
      this.#undecided.delete(id)
      if (isAllowed) {
        const dear = tooDear(plan, costMax)
        if (!isOld) return { refusal: dear }
        const before = tooDear({ cost: withoutRanking(plan.cost) }, costMax)
        return before ? { refusal: before } : { overLimit: over ?? dear }
      }
      return { refusal: { path: '', reason: 'feeds of this account are not served here' } }
    } catch (error) {
      if (!this.#undecided.has(id))
        this.#log.warn(
          {
            err: error,
            uri: `at://${author}/${ALGORITHM_NSID}/${rkey}`,
            todo: 'see whether the PLC directory answers; it is asked again until it does',
          },
          'it cannot be told who may publish',
        )
      this.#undecided.add(id)
      const reason = 'where this account is cannot be told now'
      return { refusal: { path: '', reason }, isUndecided: true }
    }
  }

  #put(row: StoredDefinition, read: Read, feeds: ReadonlySet<string>): void {
    const { id, author, rkey, version, filledVersion, servedVersion } = row
    const uri = `at://${author}/${ALGORITHM_NSID}/${rkey}`
    const feed = `at://${author}/${GENERATOR_NSID}/${rkey}`
    if (row.record === null) {
      this.#live.delete(id)
      this.#undecided.delete(id)
      this.#byFeed.delete(feed)
      this.matcher.delete(id)
      return
    }
    if (read.refusal && !isSame(read.refusal, this.#live.get(id)?.refusal)) {
      const what = read.served
        ? 'an update of a definition is refused; what was served before it still is'
        : 'a definition is refused'
      this.#log.info({ uri, ...read.refusal }, what)
    }
    if (read.overLimit)
      this.#log.info(
        { uri, ...read.overLimit },
        'a definition is over a limit that came after it, and is served',
      )
    const isServed = read.served !== undefined && feeds.has(feed)
    const isFilled = isFilledFor(read.served?.version ?? version, filledVersion)
    const isKept = read.served?.version === servedVersion
    // An update that is refused leaves the lists as they are.
    const key = `${feed} ${read.served?.version ?? version}`
    this.#keep({ key, id, author, rkey, version, uri, feed, ...read, isServed, isFilled, isKept })
  }

  #keep(live: LiveDefinition): void {
    this.#live.set(live.id, live)
    this.#byFeed.set(live.feed, live)
    if (live.isServed && live.plan?.intake) this.matcher.set(live.id, live.plan.intake)
    else this.matcher.delete(live.id)
  }
}

function isSame(a: Refusal, b: Refusal | undefined): boolean {
  return a.path === b?.path && a.reason === b.reason
}

function isFilledFor(version: number, filledVersion: number | null): boolean {
  return filledVersion !== null && filledVersion >= version
}

/** A refusal for people to read. */
export function refusalText({ path, reason }: Refusal): string {
  return `the definition of this feed is refused: ${path === '' ? '' : `${path}: `}${reason}`
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
