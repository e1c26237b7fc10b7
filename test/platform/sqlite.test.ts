import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import path from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import Sqlite3 from 'better-sqlite3'
import type { Generated } from 'kysely'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { GroupCommit } from '#platform/group-commit.ts'
import { logger } from '#platform/log.ts'
import { type Args, SchemaTooNewError, Sqlite, TransactionLostError, type Tx } from '#platform/sqlite.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/processes.ts'

interface Schema {
  item: { id: Generated<number>; name: string }
}

const migrations = [
  'CREATE TABLE item (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE) STRICT',
]

let folder: TemporaryFolder
let file: string
let db: Sqlite<Schema>
const onFatal = vi.fn((error: unknown): never => {
  throw error
})

beforeEach(() => {
  folder = temporaryFolder()
  file = path.join(folder.path, 'db.sqlite')
  db = open()
})
afterEach(() => {
  db[Symbol.dispose]()
  folder[Symbol.dispose]()
})

const open = () => new Sqlite<Schema>({ path: file, migrations, onFatal })

/** The statements of the tests. */
function statements(db: Sqlite<Schema>) {
  return {
    insert: db.prepare((q, arg: Args<{ name: string }>) => q.insertInto('item').values({ name: arg.name })),
    /**
     * SQLite itself ends the transaction when the name is there already, as it does when the disk
     * is full.
     */
    insertOrEnd: db.prepare((q, arg: Args<{ name: string }>) =>
      q.insertInto('item').orRollback().values({ name: arg.name }),
    ),
    remove: db.prepare((q, arg: Args<{ id: number }>) => q.deleteFrom('item').where('id', '=', arg.id)),
    all: db.prepare((q) => q.selectFrom('item').select(['id', 'name']).orderBy('id')),
    byName: db.prepare((q, arg: Args<{ name: string }>) =>
      q.selectFrom('item').select('id').where('name', '=', arg.name).where('id', '>', 0),
    ),
  }
}

const names = () =>
  statements(db)
    .all.all({})
    .map(({ name }) => name)

/** What another process reads from the file. */
function committedNames(): string[] {
  const other = new Sqlite3(file, { readonly: true })
  try {
    return other.prepare<[], string>('SELECT name FROM item ORDER BY id').pluck().all()
  } finally {
    other.close()
  }
}

/** Holds the syncs of the disk back until they are released, with or without an error. */
function holdSyncs() {
  const held: ((error: NodeJS.ErrnoException | null) => void)[] = []
  const spy = vi.spyOn(fs, 'fdatasync').mockImplementation((_file, callback) => {
    held.push(callback)
  })
  syncBuiltinESMExports()
  const restore = () => {
    spy.mockRestore()
    syncBuiltinESMExports()
  }
  onTestFinished(restore)
  return {
    get count() {
      return held.length
    },
    release: (error: NodeJS.ErrnoException | null = null) => {
      for (const callback of held.splice(0)) callback(error)
    },
    restore,
  }
}

describe('a statement', () => {
  it('binds its values by name and gives rows back', async () => {
    const { insert, all, byName, remove } = statements(db)
    const ids = await db.write(() => ['a', 'b', 'c'].map((name) => insert.insert({ name })))
    expect(ids).toEqual([1, 2, 3])
    expect(byName.get({ name: 'b' })).toEqual({ id: 2 })
    expect(byName.get({ name: 'x' })).toBeUndefined()
    expect(await db.write(() => remove.run({ id: 2 }))).toBe(1)
    expect(all.all({})).toEqual([
      { id: 1, name: 'a' },
      { id: 3, name: 'c' },
    ])
    const seen: string[] = []
    for (const { name } of all.iterate({})) {
      seen.push(name)
      break
    }
    expect(seen).toEqual(['a'])
  })
})

describe('a write', () => {
  it('returns what its function returns, and throws what it throws', async () => {
    expect(await db.write(() => 7)).toBe(7)
    const error = new Error('mine')
    await expect(
      db.write(() => {
        throw error
      }),
    ).rejects.toBe(error)
  })

  it('that is asynchronous does not compile', () => {
    const misuse = () => {
      // @ts-expect-error nothing can be awaited inside a transaction
      db.write(async () => 1)
      // @ts-expect-error
      db.write((): number | Promise<number> => 1)
    }
    expect(misuse).toBeTypeOf('function')
  })

  it('that fails leaves those beside it alone, and its own part undone', async () => {
    const { insert } = statements(db)
    const settled = await Promise.allSettled([
      db.write(() => insert.insert({ name: 'first' })),
      db.write(() => {
        insert.insert({ name: 'half' })
        insert.insert({ name: 'first' })
      }),
      db.write(() => insert.insert({ name: 'last' })),
    ])
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(committedNames()).toEqual(['first', 'last'])
  })

  it('shares its COMMIT with those that came with it', async () => {
    const { insert } = statements(db)
    const syncs = holdSyncs()
    const writes = Array.from({ length: 50 }, (_, n) => db.write(() => insert.insert({ name: `${n}` })))
    await turn()
    expect(committedNames()).toHaveLength(50)
    expect(syncs.count).toBe(1)
    syncs.release()
    await Promise.all(writes)
  })

  it('is answered, and its effects happen, only when it is on the disk', async () => {
    const { insert } = statements(db)
    const syncs = holdSyncs()
    const happened: string[] = []
    const write = (name: string) =>
      db.write((tx) => {
        insert.insert({ name })
        tx.afterCommit(() => happened.push(`effect of ${name}`))
      })
    const first = write('first').then(() => happened.push('first'))
    await turn()
    expect(committedNames()).toEqual(['first'])
    const second = write('second').then(() => happened.push('second'))
    const reader = db.durable()?.then(() => happened.push('reader'))
    await turn()
    await turn()
    expect(committedNames(), 'the next group does not wait for the sync').toEqual(['first', 'second'])
    expect(happened).toEqual([])
    syncs.release()
    await first
    await turn()
    expect(happened).toEqual(['effect of first', 'first'])
    expect(syncs.count, 'a sync that began after the second COMMIT').toBe(1)
    syncs.release()
    await Promise.all([second, reader])
    expect(happened.slice(2).sort()).toEqual(['effect of second', 'reader', 'second'])
    expect(db.durable(), 'all is on the disk').toBeUndefined()
  })

  it('that failed has no effects, and is told so no sooner than the others', async () => {
    const { insert } = statements(db)
    const syncs = holdSyncs()
    const effect = vi.fn()
    const failed = vi.fn()
    const failing = db
      .write((tx) => {
        tx.afterCommit(effect)
        throw new Error('no')
      })
      .catch(failed)
    const good = db.write(() => insert.insert({ name: 'good' }))
    await turn()
    // What it failed on may be what the others wrote.
    expect(failed).not.toHaveBeenCalled()
    syncs.release()
    await Promise.all([failing, good])
    expect(failed).toHaveBeenCalledOnce()
    expect(effect).not.toHaveBeenCalled()
  })

  it('is lost with its group when SQLite ends the transaction', async () => {
    const { insert, insertOrEnd } = statements(db)
    await db.write(() => insert.insert({ name: 'there' }))
    const effect = vi.fn()
    const ran: string[] = []
    const settled = await Promise.allSettled([
      db.write((tx) => {
        tx.afterCommit(effect)
        insert.insert({ name: 'before' })
      }),
      db.write(() => {
        throw new Error('failed by itself')
      }),
      db.write(() => {
        insertOrEnd.insert({ name: 'there' })
      }),
      db.write(() => {
        ran.push('after')
        insert.insert({ name: 'after' })
      }),
    ])
    const [before, own, ending, after] = settled
    for (const lost of [before, own, ending]) {
      expect(lost).toMatchObject({ status: 'rejected', reason: expect.any(TransactionLostError) })
    }
    expect((ending as PromiseRejectedResult).reason.cause.message).toContain('UNIQUE')
    expect(effect).not.toHaveBeenCalled()
    // The one that came after was not tried in what was left of the group: it ran in a transaction
    // of its own.
    expect(after.status).toBe('fulfilled')
    expect(ran).toEqual(['after'])
    expect(committedNames()).toEqual(['there', 'after'])
  })

  it('that swallows the error that ended the transaction is lost too', async () => {
    const { insert, insertOrEnd } = statements(db)
    await db.write(() => insert.insert({ name: 'there' }))
    const write = db.write(() => {
      try {
        insertOrEnd.insert({ name: 'there' })
      } catch {
        return 'as if nothing had happened'
      }
      return 'done'
    })
    await expect(write).rejects.toThrow(TransactionLostError)
    await db.write(() => insert.insert({ name: 'next' }))
    expect(committedNames()).toEqual(['there', 'next'])
  })

  it('sees what the one before it in the group wrote', async () => {
    const { insert, byName } = statements(db)
    const [, found] = await Promise.all([
      db.write(() => insert.insert({ name: 'a' })),
      db.write(() => byName.get({ name: 'a' })),
    ])
    expect(found).toEqual({ id: 1 })
  })

  it('that waits long behind others comes into a later group', async () => {
    const { insert } = statements(db)
    const syncs = holdSyncs()
    let now = performance.now()
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now)
    const slow = (name: string) =>
      db.write(() => {
        insert.insert({ name })
        now += 15
      })
    const writes = [slow('a'), slow('b'), slow('c')]
    await turn()
    expect(committedNames()).toEqual(['a', 'b'])
    await turn()
    expect(committedNames()).toEqual(['a', 'b', 'c'])
    while (syncs.count > 0) {
      syncs.release()
      await turn()
    }
    await Promise.all(writes)
    clock.mockRestore()
  })
})

describe('a failed sync', () => {
  it('is reported as fatal, and the write is not acknowledged', async () => {
    const syncs = holdSyncs()
    onFatal.mockClear()
    const answered = vi.fn()
    db.write(() => statements(db).insert.insert({ name: 'x' })).then(answered, answered)
    await turn()
    const error = Object.assign(new Error('the disk'), { code: 'EIO' })
    expect(() => syncs.release(error)).toThrow(error)
    await turn()
    expect(onFatal).toHaveBeenCalledExactlyOnceWith(error)
    expect(answered).not.toHaveBeenCalled()
  })
})

describe('closing', () => {
  it('finishes the queued writes, and refuses new ones', async () => {
    const { insert } = statements(db)
    const writes = [1, 2, 3].map((n) => db.write(() => insert.insert({ name: `${n}` })))
    db[Symbol.dispose]()
    expect(await Promise.all(writes)).toEqual([1, 2, 3])
    await expect(db.write(() => 1)).rejects.toThrow('closed')
    db = open()
    expect(names()).toEqual(['1', '2', '3'])
  })

  it('does not wait for a sync under way, and loses nothing', async () => {
    onFatal.mockClear()
    const { insert } = statements(db)
    const closes = vi.spyOn(fs, 'closeSync')
    const syncs = holdSyncs()
    const first = db.write(() => insert.insert({ name: 'first' }))
    await turn()
    expect(syncs.count).toBe(1)
    const second = db.write(() => insert.insert({ name: 'second' }))
    db[Symbol.dispose]()
    expect(closes, 'the file of a sync that is under way stays open').not.toHaveBeenCalled()
    syncs.release()
    await Promise.all([first, second])
    expect(closes).toHaveBeenCalledOnce()
    closes.mockRestore()
    syncs.restore()
    expect(onFatal).not.toHaveBeenCalled()
    db = open()
    expect(names()).toEqual(['first', 'second'])
  })
})

describe('a file', () => {
  it('is migrated to the newest schema, once', () => {
    db[Symbol.dispose]()
    const more = [...migrations, "INSERT INTO item (name) VALUES ('by migration')"]
    for (let n = 0; n < 2; n++) {
      db = new Sqlite({ path: file, migrations: more, onFatal })
      expect(names()).toEqual(['by migration'])
      db[Symbol.dispose]()
    }
    expect(() => open()).toThrow(SchemaTooNewError)
    expect(() => open()).toThrow(/has schema version 2; this version of the software knows 1/)
    db = new Sqlite({ path: file, migrations: more, onFatal })
  })

  it('stays as it was when a migration fails', () => {
    db[Symbol.dispose]()
    const broken = [...migrations, "INSERT INTO item (name) VALUES ('x'); INSERT INTO none VALUES (1)"]
    expect(() => new Sqlite({ path: file, migrations: broken, onFatal })).toThrow('no such table')
    db = open()
    expect(names()).toEqual([])
  })
})

it('queued writes fail while no transaction can begin, and later ones succeed', async () => {
  const connection = new Sqlite3(path.join(folder.path, 'other.sqlite'), { timeout: 0 })
  connection.pragma('journal_mode = WAL')
  connection.exec('CREATE TABLE t (n)')
  const commits = new GroupCommit(connection, onFatal)
  const locker = new Sqlite3(connection.name)
  locker.exec('BEGIN IMMEDIATE')
  const insert = (_: Tx) => connection.exec('INSERT INTO t VALUES (1)')
  const settled = await Promise.allSettled([commits.write(insert), commits.write(insert)])
  for (const { status, reason } of settled as PromiseRejectedResult[]) {
    expect(status).toBe('rejected')
    expect(reason).toBeInstanceOf(TransactionLostError)
    expect(reason.cause.code).toBe('SQLITE_BUSY')
  }
  locker.exec('ROLLBACK')
  await commits.write(insert)
  commits[Symbol.dispose]()
  expect(connection.prepare('SELECT count(*) FROM t').pluck().get()).toBe(1)
  locker.close()
  connection.close()
})

it('says once that a log cannot be copied into the file, and goes on', async () => {
  const connection = new Sqlite3(path.join(folder.path, 'full.sqlite'))
  connection.pragma('journal_mode = WAL')
  connection.pragma('wal_autocheckpoint = 0')
  connection.exec('CREATE TABLE t (body)')
  const prepare = connection.prepare.bind(connection)
  let isFull = true
  vi.spyOn(connection, 'prepare').mockImplementation((source: string) => {
    const statement = prepare(source)
    if (!source.includes('PASSIVE')) return statement
    const get = () => {
      if (isFull) throw new Sqlite3.SqliteError('database or disk is full', 'SQLITE_FULL')
    }
    return Object.assign(statement, { get })
  })
  const error = vi.spyOn(logger('sqlite'), 'error')
  const commits = new GroupCommit(connection, onFatal)
  const insert = prepare('INSERT INTO t VALUES (zeroblob(35000000))')
  const writeTwice = async () => {
    for (let count = 0; count < 2; count++) await commits.write(() => insert.run())
  }
  await writeTwice()
  const said = expect.objectContaining({ err: expect.any(Error), todo: expect.any(String) })
  expect(error.mock.calls).toEqual([[said, expect.any(String)]])
  isFull = false
  await writeTwice()
  isFull = true
  await writeTwice()
  expect(error).toHaveBeenCalledTimes(2)
  error.mockRestore()
  commits[Symbol.dispose]()
  connection.close()
})

it('a long WAL is checkpointed, unless another process does that', async () => {
  const log = async (disableAutoCheckpoint: boolean) => {
    using other = temporaryFolder()
    const path = `${other.path}/db.sqlite`
    using db = new Sqlite<Schema>({ path, migrations, onFatal, disableAutoCheckpoint })
    const { insert } = statements(db)
    // 40 MiB: more than the log is let grow to.
    for (let n = 0; n < 20; n++)
      await db.write(() => insert.run({ name: `${n}${'x'.repeat(2 * 1024 * 1024)}` }))
    return {
      file: fs.statSync(path).size > 1024 * 1024,
      log: fs.statSync(`${path}-wal`).size > 36 * 1024 * 1024,
    }
  }
  expect(await log(false)).toEqual({ file: true, log: false })
  expect(await log(true)).toEqual({ file: false, log: true })
})
