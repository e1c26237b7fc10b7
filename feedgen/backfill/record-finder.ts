/**
 * Tells whether records exist, by asking the servers of their owners. Strangers choose the records,
 * so answers are remembered.
 */
import { MINUTE_MS } from '#platform/time.ts'
import type { Finding, FindRecord, Reference } from '../algorithm/references.ts'
import { UnknownAuthorError } from '../identity/identity-cache.ts'
import { NotThereError, ServerError, type Servers } from './pds-client.ts'

const REMEMBERED_MAX = 10_000
const REMEMBERED_MS = 10 * MINUTE_MS

export class RecordFinder {
  readonly #servers: Pick<Servers, 'record'>
  readonly #known = new Map<string, { finding: Promise<Finding>; at: number }>()

  constructor({ servers }: { servers: Pick<Servers, 'record'> }) {
    this.#servers = servers
  }

  /** Whether the record is there. */
  readonly find: FindRecord = (reference) => {
    const { did, collection, rkey } = reference
    const key = `${did}/${collection}/${rkey}`
    const known = this.#known.get(key)
    if (known && Date.now() - known.at < REMEMBERED_MS) return known.finding
    const finding = this.#ask(reference)
    if (this.#known.size >= REMEMBERED_MAX) this.#known.clear()
    this.#known.set(key, { finding, at: Date.now() })
    // What could not be told is asked for again.
    return finding.then((found) => {
      if (found === 'unknown') this.#known.delete(key)
      return found
    })
  }

  async #ask({ did, collection, rkey }: Reference): Promise<Finding> {
    try {
      return (await this.#servers.record(did, `${collection}/${rkey}`)) === null ? 'missing' : 'there'
    } catch (error) {
      if (error instanceof NotThereError) return 'missing'
      if (!(error instanceof ServerError)) throw error
      // The directory knows all of its own; the document of another DID may only be out of reach.
      const isNobody = error.cause instanceof UnknownAuthorError && did.startsWith('did:plc:')
      return isNobody ? 'missing' : 'unknown'
    }
  }
}
