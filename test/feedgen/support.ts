/** A feed generator for tests: in this process, with an index in a temporary folder that tests can look into. */
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import { type FeedgenConfig, readConfig } from '../../feedgen/config.ts'
import { createFeedgen, type Feedgen } from '../../feedgen/feedgen.ts'
import { temporaryFolder } from '../support/processes.ts'

export const SERVICE_DID = 'did:web:feeds.test'

export interface TestFeedgen extends Feedgen {
  /** The file of its index. */
  file: string
  /** Resolves once the endpoint was followed up to this seq. */
  reached(endpoint: string, seq: number): Promise<void>
  /** The answer of an XRPC query. */
  get(method: string, params?: Record<string, string>, headers?: Record<string, string>): Promise<Answer>
}

export interface Answer {
  status: number
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of any shape
  body: any
}

/** Starts a feed generator. */
export async function startFeedgen(
  config: Pick<FeedgenConfig, 'endpoints' | 'plcUrl'> & Partial<FeedgenConfig>,
): Promise<TestFeedgen> {
  const folder = temporaryFolder()
  const file = config.sqliteLocation ?? path.join(folder.path, 'feedgen.sqlite')
  const feedgen = await createFeedgen({
    ...readConfig({ FEEDGEN_HOSTNAME: 'feeds.test', FEEDGEN_DEV_MODE: 'true' }),
    port: 0,
    reconnectDelayMs: 20,
    sqliteLocation: file,
    ...config,
  })
  return {
    ...feedgen,
    file,
    reached: (endpoint, seq) => eventually(() => cursorOf(file, endpoint) === seq),
    async get(method, params = {}, headers = {}) {
      const response = await fetch(`${feedgen.url}/xrpc/${method}?${new URLSearchParams(params)}`, {
        headers,
      })
      return { status: response.status, body: await response.json() }
    },
    async [Symbol.asyncDispose]() {
      await feedgen[Symbol.asyncDispose]()
      folder[Symbol.dispose]()
    },
  }
}

const waitSecondsMax = 20
const lookEveryMs = 5

/** Waits until something is so. @throws when it does not become so in time */
export async function eventually(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + waitSecondsMax * 1000
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`still not so after ${waitSecondsMax} s: ${isSo}`)
    await sleep(lookEveryMs)
  }
}

/** How far an endpoint was followed, as the file says; undefined when it is not known. */
export function cursorOf(file: string, endpoint: string): number | undefined {
  const db = new Sqlite(file, { readonly: true })
  try {
    return db.prepare('select seq from cursors where endpoint = ?').pluck().get(endpoint) as
      | number
      | undefined
  } finally {
    db.close()
  }
}

/** Every row of every table of an index, in an order that does not depend on how they came in. */
export function dump(file: string): Record<string, unknown[]> {
  const db = new Sqlite(file, { readonly: true })
  try {
    const tables = db
      .prepare(
        `select name from sqlite_master where type = 'table' and name not like 'kysely%' order by name`,
      )
      .pluck()
      .all() as string[]
    return Object.fromEntries(
      tables.map((table) => [
        table,
        db
          .prepare(`select * from ${table}`)
          .all()
          .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
      ]),
    )
  } finally {
    db.close()
  }
}
