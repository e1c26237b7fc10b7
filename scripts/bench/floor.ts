/**
 * What the parts of a write cost on this machine in this run: nothing that answers over HTTP,
 * signs, hashes and waits for its disk is faster than their sum.
 */
import { hash, randomBytes } from 'node:crypto'
import path from 'node:path'
import { Pool } from 'undici'
import { Sqlite } from '#platform/sqlite.ts'
import { generateKey } from '#protocol/keys.ts'
import { freePort, startProcess } from '../processes.ts'

export interface FloorPart {
  readonly name: string
  readonly micros: number
}

const requests = 5_000
const requestsAtOnce = 20
const signatures = 2_000
const hashes = 20_000
const commits = 200
const BLOCK_BYTES = 200
const ROWS_PER_COMMIT = 6

/** @param folder on the disk that the servers use */
export async function measureFloor(folder: string): Promise<FloorPart[]> {
  const block = randomBytes(BLOCK_BYTES)
  const key = generateKey()
  return [
    { name: 'an HTTP request', micros: await microsOfRequest() },
    { name: 'a signature (K-256)', micros: microsOf(signatures, () => key.sign(block)) },
    {
      name: `SHA-256 of ${BLOCK_BYTES} bytes`,
      micros: microsOf(hashes, () => hash('sha256', block, 'buffer')),
    },
    { name: `a commit of ${ROWS_PER_COMMIT} rows, synced`, micros: await microsOfCommit(folder) },
  ]
}

function microsOf(times: number, work: () => unknown): number {
  for (let n = 0; n < times / 4; n++) work()
  const started = performance.now()
  for (let n = 0; n < times; n++) work()
  return ((performance.now() - started) / times) * 1000
}

async function microsOfRequest(): Promise<number> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const env = { PATH: process.env.PATH }
  await using _server = await startProcess({
    file: 'scripts/bench/bare-http.ts',
    args: [String(port)],
    env,
    ready: url,
  })
  const pool = new Pool(url, { connections: requestsAtOnce, pipelining: 1 })
  const request = async () => (await pool.request({ method: 'GET', path: '/' })).body.text()
  const run = async () => {
    let left = requests
    await Promise.all(
      Array.from({ length: requestsAtOnce }, async () => {
        while (left-- > 0) await request()
      }),
    )
  }
  await run()
  const started = performance.now()
  await run()
  const micros = ((performance.now() - started) / requests) * 1000
  await pool.destroy()
  return micros
}

async function microsOfCommit(folder: string): Promise<number> {
  using db = new Sqlite<{ row: { id: number; block: Buffer } }>({
    path: path.join(folder, 'floor.sqlite'),
    migrations: ['CREATE TABLE row (id INTEGER PRIMARY KEY, block BLOB NOT NULL) STRICT;'],
    onFatal: (error) => {
      throw error
    },
  })
  const insert = db.prepare((q) =>
    q.insertInto('row').values({ id: null as unknown as number, block: randomBytes(BLOCK_BYTES) }),
  )
  const commit = () =>
    db.write(() => {
      for (let row = 0; row < ROWS_PER_COMMIT; row++) insert.run({})
    })
  await commit()
  const started = performance.now()
  for (let n = 0; n < commits; n++) await commit()
  return ((performance.now() - started) / commits) * 1000
}
