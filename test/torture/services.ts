/**
 * Both services as processes with something in them, and what they hold: rows, files, open files,
 * memory, faults in the log.
 */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { AtpAgent } from '@atproto/api'
import Sqlite3 from 'better-sqlite3'
import { createUser, pdsEnv, type TestUser } from '../support/pds.ts'
import { startPlc } from '../support/plc.ts'
import { freePort, type RunningProcess, startProcess, temporaryFolder } from '../support/processes.ts'

export interface Service {
  readonly name: 'pds' | 'feedgen'
  readonly port: number
  readonly process: RunningProcess
  readonly folder: string
  readonly database: string
  readonly log: string
}

export interface Services extends AsyncDisposable {
  readonly pds: Service
  readonly feedgen: Service
  readonly user: TestUser
  /** Resolves once both did an ordinary piece of work: a post is written, and shown in a feed. */
  work(): Promise<void>
}

/** What a service holds at a moment. */
export interface Holding {
  readonly rows: Readonly<Record<string, number>>
  readonly files: readonly string[]
  readonly openFiles: number
  readonly megabytes: number
}

const FEEDGEN_DID = 'did:web:feeds.test'
const WORK_SECONDS_MAX = 20

/** Starts both on this machine, with an account that has posted. */
export async function startServices(): Promise<Services> {
  await using stack = new AsyncDisposableStack()
  const temporary = stack.use(temporaryFolder())
  const plc = stack.use(await startPlc())
  const ports = { pds: await freePort(), feedgen: await freePort() }
  const url = `http://localhost:${ports.pds}`
  const placeOf = (name: Service['name']) => {
    const folder = path.join(temporary.path, name)
    const database = path.join(folder, name === 'pds' ? 'atoll.sqlite' : 'feedgen.sqlite')
    return { name, port: ports[name], folder, database, log: path.join(temporary.path, `${name}.log`) }
  }
  const logOf = ({ log }: { log: string }) => ({ LOG_ENABLED: 'true', LOG_DESTINATION: log })
  const pdsPlace = placeOf('pds')
  const pds: Service = {
    ...pdsPlace,
    process: stack.use(
      await startProcess({
        file: 'pds/main.ts',
        env: { ...pdsEnv(plc.url, pdsPlace.folder, ports.pds), ...logOf(pdsPlace) },
        ready: `${url}/xrpc/_health`,
      }),
    ),
  }
  const user = await createUser({ url }, 'alice')
  const feedgenPlace = placeOf('feedgen')
  const feedgen: Service = {
    ...feedgenPlace,
    process: stack.use(
      await startProcess({
        file: 'feedgen/main.ts',
        env: {
          FEEDGEN_PORT: String(ports.feedgen),
          FEEDGEN_DATA_DIRECTORY: feedgenPlace.folder,
          FEEDGEN_SERVICE_DID: FEEDGEN_DID,
          FEEDGEN_PUBLISHER_DID: user.did,
          FEEDGEN_SUBSCRIPTION_ENDPOINT: url,
          PDS_DID_PLC_URL: plc.url,
          ...logOf(feedgenPlace),
        },
        ready: `http://localhost:${ports.feedgen}/xrpc/_health`,
      }),
    ),
  }
  const running = stack.move()
  let posts = 0
  return {
    pds,
    feedgen,
    user,
    async work() {
      const { uri } = await user.agent.post({ text: `post ${++posts}` })
      const feed = `at://${user.did}/app.bsky.feed.generator/latest`
      const reader = new AtpAgent({ service: `http://localhost:${ports.feedgen}` })
      const deadline = Date.now() + WORK_SECONDS_MAX * 1000
      for (;;) {
        const { data } = await reader.app.bsky.feed.getFeedSkeleton({ feed, limit: 1 })
        if (data.feed[0]?.post === uri) return
        if (Date.now() > deadline) throw new Error('a post that was written is not shown')
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

/** What a service holds now. */
export function holdingOf({ database, folder, process: { pid } }: Service): Holding {
  const db = new Sqlite3(database, { readonly: true })
  try {
    const tables = db
      .prepare<[], string>(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`)
      .pluck()
      .all()
    const count = (table: string) => db.prepare(`SELECT count(*) FROM "${table}"`).pluck().get() as number
    const megabytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return {
      rows: Object.fromEntries(tables.map((table) => [table, count(table)])),
      files: readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort(),
      openFiles: readdirSync(`/proc/${pid}/fd`).length,
      megabytes: Number(megabytes) / 1024,
    }
  } finally {
    db.close()
  }
}

/** The lines of a service's log that speak of a fault of its own: level error and above. */
export const faultsIn = ({ log }: Service): string[] =>
  readFileSync(log, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && (JSON.parse(line) as { level: number }).level >= 50)
