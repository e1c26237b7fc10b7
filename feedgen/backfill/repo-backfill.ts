/**
 * Brings records that were made before anybody listened into the index: the newest of a collection,
 * a single one, or a whole repository.
 *
 * While something is fetched, the firehose goes on. What was fetched is written only if no event of
 * the same account was indexed meanwhile, since that is the newer truth; otherwise it is fetched
 * again.
 */
import { isTid, microsOfTid } from '#protocol/tid.ts'
import { changeOf, collectionsIndexed } from '../firehose/records.ts'
import { type Change, type RepositoryTable, repositoryTables } from '../index/write/events.ts'
import type { IndexWriter } from '../index/writer.ts'
import { type FetchedRecord, NotThereError, ServerError, type Servers } from './pds-client.ts'

export interface PastOptions {
  servers: Pick<Servers, 'page' | 'record' | 'repo'>
  index: Pick<IndexWriter, 'apply' | 'clean' | 'rev'>
  /** Feed records count when they name this service. */
  serviceDid: string
}

export interface CollectionLimits {
  recordsMax: number
  /** What was made before, in milliseconds since 1970, is not needed. */
  since?: number
  /** Those of a page's records that are needed; all when it is left out. */
  choose?: (records: readonly FetchedRecord[]) => Promise<FetchedRecord[]>
}

const PROFILE = 'app.bsky.actor.profile/self'
/**
 * What servers answer of records and repositories that they do not have, whatever they call the
 * error.
 */
const NO_RECORD: ReadonlySet<number> = new Set([400, 404, 410])
const changesPerWriteMax = 500
/**
 * Pages of fewer records, on average, are not turned for ever: servers choose how many stand on
 * one.
 */
const PAGE_RECORDS_MIN = 25
/** So often an account may write while something of it is fetched. */
const triesMax = 5

export class Past {
  readonly #options: PastOptions

  constructor(options: PastOptions) {
    this.#options = options
  }

  /**
   * Fetches the newest records of a collection.
   * @returns those that are needed, newest first
   * @throws ServerError, NotThereError
   */
  async collection(
    did: string,
    collection: string,
    { recordsMax, since = 0, choose }: CollectionLimits,
    signal: AbortSignal,
  ): Promise<FetchedRecord[]> {
    const all: FetchedRecord[] = []
    let cursor: string | undefined
    let looked = 0
    let pagesLeft = Math.ceil(recordsMax / PAGE_RECORDS_MIN)
    do {
      const page = await this.#written(did, async () => {
        const page = await this.#options.servers.page(did, collection, cursor)
        const recent = page.records.filter((record) => (madeAt(record) ?? since) >= since)
        const some = recent.slice(0, recordsMax - looked)
        return {
          records: choose ? await choose(some) : some,
          looked: some.length,
          cursor: some.length < page.records.length ? undefined : page.cursor,
        }
      })
      all.push(...page.records)
      looked += page.looked
      cursor = page.cursor
      pagesLeft--
    } while (cursor !== undefined && looked < recordsMax && pagesLeft > 0 && !signal.aborted)
    return all
  }

  /**
   * Fetches a record; null when there is none.
   * @throws ServerError, NotThereError when there is no such repository
   */
  async record(did: string, path: string): Promise<FetchedRecord | null> {
    const { records } = await this.#written(did, async () => {
      const record = await this.#options.servers.record(did, path)
      return { records: record ? [record] : [] }
    })
    return records[0] ?? null
  }

  /**
   * Fetches an account's profile, or notes that its server has none.
   * @throws ServerError when that cannot be known now: what a profile asks for must not be
   * forgotten because of it
   */
  async profile(did: string): Promise<void> {
    try {
      if (await this.record(did, PROFILE)) return
    } catch (error) {
      const isAnswer =
        error instanceof NotThereError ||
        (error instanceof ServerError && NO_RECORD.has(error.status ?? Number.NaN))
      if (!isAnswer) throw error
    }
    await this.#noProfile(did)
  }

  async #noProfile(did: string): Promise<void> {
    const { index } = this.#options
    const row = { no_unauthenticated: false, looked_at: Date.now() }
    const changes: Change[] = [{ table: 'profiles', uri: `at://${did}/${PROFILE}`, row }]
    // If it is stale, the account writes and its profile is looked for again.
    await index.apply([{ kind: 'fetched', did, asOf: await index.rev(did), changes }])
  }

  /**
   * Fetches the whole repository, so that the index knows again which of its records are there.
   * @throws ServerError, NotThereError
   */
  async repository(did: string): Promise<void> {
    const { servers, index } = this.#options
    const { rev, data, records } = await this.#written(did, async (asOf) => {
      const repo = await servers.repo(did, collectionsIndexed)
      if (asOf !== null && repo.rev < asOf)
        throw new ServerError('the server has an older repository than was heard of')
      return repo
    })
    const present = new Map<RepositoryTable, Set<string>>(repositoryTables.map((table) => [table, new Set()]))
    for (const { table, uri } of this.#changes(did, records))
      if (table !== 'profiles') present.get(table)?.add(uri.slice(uri.lastIndexOf('/') + 1))
    const outcome = await index.clean({ did, rev, data, present })
    if (outcome === 'stale') throw new ServerError('the account wrote while its repository was cleaned')
  }

  /** What `fetch` gives, written; fetched again if the account wrote in between. */
  async #written<T extends { records: FetchedRecord[] }>(
    did: string,
    fetch: (asOf: string | null) => Promise<T>,
  ): Promise<T> {
    const { index } = this.#options
    for (let tries = 1; tries <= triesMax; tries++) {
      const asOf = await index.rev(did)
      const fetched = await fetch(asOf)
      if (await this.#write(did, asOf, this.#changes(did, fetched.records))) return fetched
    }
    throw new ServerError('the account writes faster than it can be fetched')
  }

  /** Whether all of it could be written. */
  async #write(did: string, asOf: string | null, changes: readonly Change[]): Promise<boolean> {
    for (let from = 0; from < changes.length; from += changesPerWriteMax) {
      const some = changes.slice(from, from + changesPerWriteMax)
      const [outcome] = await this.#options.index.apply([{ kind: 'fetched', did, asOf, changes: some }])
      if (outcome === 'stale') return false
      if (outcome === 'deleted') throw new NotThereError('the account is gone')
    }
    return true
  }

  #changes(did: string, records: readonly FetchedRecord[]): Change[] {
    const context = { did, seenAt: Date.now(), serviceDid: this.#options.serviceDid }
    return records.flatMap((record) => {
      // What is malformed is as if it were not there; the firehose counts such things.
      const change = changeOf(
        record,
        () => record.block,
        context,
        () => undefined,
      )
      return change?.row ? [change] : []
    })
  }
}

/** When a record with a TID as its key was made; others may have been made at any time. */
function madeAt({ path }: FetchedRecord): number | undefined {
  const rkey = path.slice(path.indexOf('/') + 1)
  return isTid(rkey) ? microsOfTid(rkey) / 1000 : undefined
}
