/**
 * Reads records from the servers that accounts are at: what the firehose does not bring because it
 * was before we listened.
 *
 * Strangers choose the servers, so everything about a request is bounded: where it goes, how long
 * it takes, how large the answer is, how many go on at once. A record is taken for what its CID
 * names; a whole repository is checked against its owner's signature.
 */

import { setImmediate as immediate } from 'node:timers/promises'
import { type Fetch, guardedFetch } from '#platform/fetch.ts'
import { Slots } from '#platform/semaphore.ts'
import { MINUTE_MS } from '#platform/time.ts'
import { CarError, CarReader } from '#protocol/car.ts'
import { encode } from '#protocol/cbor.ts'
import { type Cid, cidForCbor, formatCid, InvalidCidError, parseCid } from '#protocol/cid.ts'
import { CommitError, decodeCommit, verifyCommit } from '#protocol/commit.ts'
import { JsonError, jsonToValue } from '#protocol/json.ts'
import type { PublicKey } from '#protocol/keys.ts'
import { InvalidNodeError, MissingNodeError, nodesOf } from '#protocol/mst/node.ts'
import { entries } from '#protocol/mst/walk.ts'

export interface ServersOptions {
  /** Where accounts are, and what they sign with. */
  authors: { server(did: string): Promise<string>; refresh(did: string): Promise<PublicKey> }
  /** Let servers be on this machine. */
  allowPrivate: boolean
  /** URLs of servers that may be, whatever the others may. */
  trusted?: readonly string[]
}

/** A record as its repository holds it. */
export interface FetchedRecord {
  /** Collection and record key. */
  path: string
  cid: Cid
  block: Uint8Array
}

/** Some of the records of a collection; with a cursor there may be more. */
export interface RecordPage {
  records: FetchedRecord[]
  cursor: string | undefined
}

/** A whole repository. */
export interface FetchedRepo {
  rev: string
  /** The root of its tree, as text. */
  data: string
  records: FetchedRecord[]
}

/** A server that does not answer, or not as it should: another time it may. */
export class ServerError extends Error {
  override name = 'ServerError'
  /** Of its answer, if there was one. */
  readonly status: number | undefined
  constructor(message: string, { status, ...options }: ErrorOptions & { status?: number } = {}) {
    super(message, options)
    this.status = status
  }
}

/** The server says that the repository or the record is not there, or not for anybody to see. */
export class NotThereError extends Error {
  override name = 'NotThereError'
}

const pageRecords = 100
const pageBytesMax = 8 * 1024 * 1024
/**
 * A whole repository is in memory while it is read and written: one at a time (see `backfill.ts`).
 */
export const repoBytesMax = 32 * 1024 * 1024
const repoMsMax = MINUTE_MS
const recordsPerTurn = 1000
const requestsAtOnceMax = 8
/** Of one server: it has others to serve. */
const requestsPerServerMax = 2
const serversRememberedMax = 10_000
const NOT_THERE = new Set([
  'RepoNotFound',
  'RepoTakendown',
  'RepoSuspended',
  'RepoDeactivated',
  'RecordNotFound',
])

export class Servers {
  readonly #authors: ServersOptions['authors']
  readonly #fetch: Fetch
  readonly #fetchRepo: Fetch
  readonly #all = new Slots(requestsAtOnceMax)
  readonly #each = new Map<string, Slots>()

  constructor({ authors, allowPrivate, trusted }: ServersOptions) {
    this.#authors = authors
    const guard = { allowPrivate, trusted }
    this.#fetch = guardedFetch({ ...guard, responseBytesMax: pageBytesMax })
    this.#fetchRepo = guardedFetch({ ...guard, responseBytesMax: repoBytesMax, timeoutMs: repoMsMax })
  }

  /**
   * A page of an account's records of a collection, those with the greatest keys (the newest)
   * first.
   * @param cursor that of the page before
   * @throws ServerError, NotThereError
   */
  async page(did: string, collection: string, cursor?: string): Promise<RecordPage> {
    const body = await this.#json(did, 'com.atproto.repo.listRecords', {
      repo: did,
      collection,
      limit: String(pageRecords),
      ...(cursor === undefined ? {} : { cursor }),
    })
    if (!Array.isArray(body.records)) throw new ServerError('a page without records')
    const records = body.records.flatMap((record) => readRecord(record, did, collection) ?? [])
    const next = typeof body.cursor === 'string' ? body.cursor : undefined
    // A server that gives the same page again would give it for ever.
    return { records, cursor: body.records.length > 0 && next !== cursor ? next : undefined }
  }

  /**
   * One record; null when there is none.
   * @throws ServerError, NotThereError when there is no such repository
   */
  async record(did: string, path: string): Promise<FetchedRecord | null> {
    const [collection = '', rkey = ''] = path.split('/')
    try {
      const body = await this.#json(did, 'com.atproto.repo.getRecord', { repo: did, collection, rkey })
      const record = readRecord(body, did, collection)
      if (record === null) throw new ServerError('an answer that is not the record that was asked for')
      return record
    } catch (error) {
      if (error instanceof NotThereError && error.message === 'RecordNotFound') return null
      throw error
    }
  }

  /**
   * A whole repository, of which only the records of these collections are kept.
   * @throws ServerError, NotThereError
   */
  async repo(did: string, collections: readonly string[]): Promise<FetchedRepo> {
    return this.#at(did, async (server) => {
      const response = await this.#ask(this.#fetchRepo, server, 'com.atproto.sync.getRepo', { did })
      try {
        const { root, blocks } = await readBlocks(response)
        const commit = decodeCommit(blockIn(blocks, root))
        if (commit.did !== did || !verifyCommit(commit, await this.#authors.refresh(did)))
          throw new ServerError('a repository that its owner did not sign')
        const source = nodesOf(blocks)
        const records: FetchedRecord[] = []
        for (const collection of collections) {
          for (const { key, value } of entries(source, commit.data, { prefix: `${collection}/` })) {
            records.push({ path: key, cid: value, block: blockIn(blocks, value) })
            // A large tree must not hold up what else the process does.
            if (records.length % recordsPerTurn === 0) await immediate()
          }
        }
        return { rev: commit.rev, data: formatCid(commit.data), records }
      } catch (error) {
        const isBad = [CarError, CommitError, MissingNodeError, InvalidNodeError].some(
          (kind) => error instanceof kind,
        )
        throw isBad ? new ServerError('a malformed repository', { cause: error }) : error
      }
    })
  }

  async #json(did: string, method: string, params: Record<string, string>): Promise<Record<string, unknown>> {
    return this.#at(did, async (server) => {
      const response = await this.#ask(this.#fetch, server, method, params)
      try {
        const body: unknown = await response.json()
        if (typeof body === 'object' && body !== null) return body as Record<string, unknown>
      } catch (cause) {
        throw new ServerError('an answer that cannot be read', { cause })
      }
      throw new ServerError('an answer that is no object')
    })
  }

  /** @throws ServerError, NotThereError */
  async #ask(
    fetch: Fetch,
    server: string,
    method: string,
    params: Record<string, string>,
  ): Promise<Response> {
    const url = new URL(`/xrpc/${method}?${new URLSearchParams(params)}`, server)
    let response: Response
    try {
      response = await fetch(url, { headers: { 'user-agent': 'atoll-feedgen' } })
    } catch (cause) {
      throw new ServerError(`${url.host} does not answer`, { cause })
    }
    if (response.ok) return response
    const { error } = (await response.json().catch(() => ({}))) as { error?: unknown }
    if (typeof error === 'string' && NOT_THERE.has(error)) throw new NotThereError(error)
    throw new ServerError(`${url.host} answered ${method} with ${response.status}`, {
      status: response.status,
    })
  }

  /** Runs the work when it is its turn, with the URL of the account's server. */
  async #at<T>(did: string, work: (server: string) => Promise<T>): Promise<T> {
    let server: string
    try {
      server = await this.#authors.server(did)
    } catch (cause) {
      throw new ServerError(`no server is known for ${did}`, { cause })
    }
    let slots = this.#each.get(server)
    if (!slots) {
      slots = new Slots(requestsPerServerMax)
      if (this.#each.size >= serversRememberedMax) this.#each.clear()
      this.#each.set(server, slots)
    }
    return slots.run(() => this.#all.run(() => work(server)))
  }
}

/** A record in an answer; null when it is not what it says it is. */
function readRecord(json: unknown, did: string, collection: string): FetchedRecord | null {
  const { uri, cid: text, value } = (json ?? {}) as { [key: string]: unknown }
  const prefix = `at://${did}/`
  if (typeof uri !== 'string' || typeof text !== 'string' || !uri.startsWith(`${prefix}${collection}/`))
    return null
  try {
    const block = encode(jsonToValue(value))
    const cid = parseCid(text)
    return cidForCbor(block) === cid ? { path: uri.slice(prefix.length), cid, block } : null
  } catch (error) {
    if (error instanceof JsonError || error instanceof InvalidCidError) return null
    throw error
  }
}

async function readBlocks(response: Response): Promise<{ root: Cid; blocks: Map<Cid, Uint8Array> }> {
  const reader = new CarReader()
  const blocks = new Map<Cid, Uint8Array>()
  try {
    for await (const chunk of response.body ?? []) {
      for (const { cid, block } of reader.push(chunk)) blocks.set(cid, block)
    }
  } catch (error) {
    if (error instanceof CarError) throw error
    throw new ServerError('the repository came only in part', { cause: error })
  }
  reader.end()
  const [root] = reader.roots ?? []
  if (root === undefined) throw new CarError('a repository without a root')
  return { root, blocks }
}

function blockIn(blocks: Map<Cid, Uint8Array>, cid: Cid): Uint8Array {
  const block = blocks.get(cid)
  if (!block) throw new ServerError('a repository in which a block is missing')
  return block
}
