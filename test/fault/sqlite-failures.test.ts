/**
 * The disk is full, the log cannot be written, the file is locked, a sync fails: callers get an
 * error, nothing is torn, and service goes on once the cause is gone.
 */
import { execFileSync } from 'node:child_process'
import { statSync } from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import { expect, test, vi } from 'vitest'
import { GroupCommit } from '#platform/group-commit.ts'
import { type Args, Sqlite } from '#platform/sqlite.ts'
import { startPds } from '../support/pds.ts'
import { startPlc } from '../support/plc.ts'
import { temporaryFolder } from '../support/processes.ts'
import { DATABASE_FILE, readPdsData, violations } from './invariants.ts'
import { Load } from './load.ts'
import { makePdsHome } from './pds.ts'
import { faults } from './preload.ts'
import { chosenSeed } from './seed.ts'
import { Subscriber } from './subscriber.ts'

test('a full disk fails the write and nothing else', async () => {
  await using plc = await startPlc()
  using folder = temporaryFolder()
  const load = new Load(chosenSeed())
  const subscriber = new Subscriber()
  // The PDS runs here, and its connection is caught on the way: SQLite can be told that the disk is
  // full.
  const pragma = vi.spyOn(Database.prototype, 'pragma')
  {
    await using pds = await startPds({ plcUrl: plc.url, folder: folder.path })
    const [connection] = pragma.mock.contexts as Database.Database[]
    pragma.mockRestore()
    for (let count = 0; count < 3; count++) await load.join(pds.url)
    subscriber.connect(pds.url)
    load.start(pds.url, { tolerant: true })
    for (let round = 0; round < 4; round++) {
      await load.answered(50)
      const pages = connection!.pragma('page_count', { simple: true }) as number
      connection!.pragma(`max_page_count = ${pages + load.random.below(4)}`)
      await load.refused(30)
      connection!.pragma('max_page_count = 1000000')
    }
    // Somebody new comes when there is room again.
    await load.join(pds.url)
    await load.answered(50)
    await load.stop()
    await subscriber.disconnect()
  }
  const data = readPdsData(folder.path)
  const found = await violations(data, { plcUrl: plc.url, started: true })
  const lost = load.settle(data)
  const unkept = subscriber.unkept(data.events)
  expect({ found, lost, unkept }).toEqual({ found: [], lost: [], unkept: [] })
  expect(subscriber.faults).toEqual([])
})

test('a WAL that cannot be written fails the write and nothing else', async () => {
  await using home = await makePdsHome()
  const load = new Load(chosenSeed())
  const subscriber = new Subscriber()
  const running = await home.start()
  const limitFiles = (bytes: number | 'unlimited') =>
    execFileSync('prlimit', ['--pid', String(running.pid), `--fsize=${bytes}:`])
  for (let count = 0; count < 3; count++) await load.join(home.url)
  subscriber.connect(home.url)
  load.start(home.url, { tolerant: true })
  for (let round = 0; round < 4; round++) {
    await load.answered(50)
    limitFiles(statSync(`${path.join(home.folder, DATABASE_FILE)}-wal`).size + load.random.below(30_000))
    await load.refused(30)
    limitFiles('unlimited')
  }
  await load.join(home.url)
  await load.answered(50)
  await load.stop()
  expect(await running.stop()).toBe(0)
  await subscriber.closed()
  const { data, found } = await home.examine({ started: true })
  const lost = load.settle(data)
  expect({ found, lost, unkept: subscriber.unkept(data.events) }).toEqual({ found: [], lost: [], unkept: [] })
})

test('a database locked by another process fails the writes until it is released', async () => {
  await using home = await makePdsHome()
  const load = new Load(chosenSeed())
  const running = await home.start()
  await load.join(home.url)
  const other = new Database(path.join(home.folder, DATABASE_FILE))
  other.exec('BEGIN IMMEDIATE')
  load.start(home.url, { tolerant: true })
  await load.refused(1)
  other.exec('ROLLBACK')
  other.close()
  await load.answered(20)
  await load.stop()
  expect(await running.stop()).toBe(0)
  const { data, found } = await home.examine({ started: true })
  expect({ found, lost: load.settle(data) }).toEqual({ found: [], lost: [] })
})

test('a failed fsync ends the process, and its writes are not acknowledged', async () => {
  await using home = await makePdsHome()
  const load = new Load(chosenSeed())
  const subscriber = new Subscriber()
  const running = await home.start(faults({ syncFails: 30, syncMs: 5 }))
  await load.join(home.url)
  subscriber.connect(home.url)
  load.start(home.url)
  expect(await running.exited).toBe(1)
  expect(running.output()).toContain('the disk failed to sync')
  await Promise.all([load.gone(), subscriber.closed()])
  const next = await home.start()
  expect(await next.stop()).toBe(0)
  const { data, found } = await home.examine({ started: true })
  const lost = load.settle(data)
  expect({ found, lost, unkept: subscriber.unkept(data.events) }).toEqual({ found: [], lost: [], unkept: [] })
})

test('a failed fsync during a checkpoint ends the process too', async () => {
  using folder = temporaryFolder()
  const connection = new Database(path.join(folder.path, 'x.sqlite'))
  connection.pragma('journal_mode = WAL')
  connection.pragma('wal_autocheckpoint = 0')
  connection.exec('CREATE TABLE item (body BLOB)')
  const failure = new Database.SqliteError('disk I/O error', 'SQLITE_IOERR_FSYNC')
  const prepare = connection.prepare.bind(connection)
  vi.spyOn(connection, 'prepare').mockImplementation((source: string) => {
    const statement = prepare(source)
    const fail = () => {
      throw failure
    }
    return source.includes('PASSIVE') ? Object.assign(statement, { get: fail }) : statement
  })
  const onFatal = vi.fn()
  const commits = new GroupCommit(connection, onFatal as unknown as (error: unknown) => never)
  const insert = prepare('INSERT INTO item VALUES (zeroblob(10000000))')
  for (let count = 0; count < 3; count++) await commits.write(() => insert.run())
  expect(onFatal).not.toHaveBeenCalled()
  await commits.write(() => insert.run())
  expect(onFatal).toHaveBeenCalledExactlyOnceWith(failure)
  commits[Symbol.dispose]()
  connection.close()
})

test('the WAL does not grow without bound', async () => {
  using folder = temporaryFolder()
  const file = path.join(folder.path, 'x.sqlite')
  using db = new Sqlite<{ item: { body: Buffer } }>({
    path: file,
    migrations: ['CREATE TABLE item (body BLOB) STRICT'],
    onFatal: (error) => {
      throw error
    },
  })
  const insert = db.prepare((q, arg: Args<{ body: Buffer }>) =>
    q.insertInto('item').values({ body: arg.body }),
  )
  const body = Buffer.alloc(10_000_000)
  for (let count = 0; count < 10; count++) await db.write(() => insert.run({ body }))
  expect(statSync(`${file}-wal`).size).toBeLessThan(50_000_000)
})
