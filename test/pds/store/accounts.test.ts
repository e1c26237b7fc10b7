/** What becomes of accounts that an earlier version wrote. */
import path from 'node:path'
import Sqlite3 from 'better-sqlite3'
import { expect, it } from 'vitest'
import { Sqlite } from '#platform/sqlite.ts'
import { functions, migrations } from '../../../pds/store/migrations.ts'
import { Store } from '../../../pds/store/store.ts'
import { temporaryFolder } from '../../support/processes.ts'

const DAY_MS = 86_400_000
const onFatal = (error: unknown): never => {
  throw error
}

it('an end that was set by its date alone is thirty days off at least, and of a move from now on', () => {
  using folder = temporaryFolder()
  const file = path.join(folder.path, 'atoll.sqlite')
  const before = migrations.findIndex((step) => step.includes('ADD COLUMN sessionGeneration'))
  new Sqlite({ path: file, migrations: migrations.slice(0, before), functions, onFatal })[Symbol.dispose]()
  const db = new Sqlite3(file)
  const now = Date.now()
  const inDays = (days: number) => new Date(now + days * DAY_MS).toISOString()
  const times = {
    wish: { createdAt: inDays(-90), deactivatedAt: inDays(-10), deleteAfter: inDays(-9) },
    late: { createdAt: inDays(-90), deactivatedAt: inDays(-10), deleteAfter: inDays(99) },
    move: { createdAt: inDays(-2), deactivatedAt: inDays(-2), deleteAfter: inDays(1) },
    rest: { createdAt: inDays(-90), deactivatedAt: inDays(-10), deleteAfter: null },
    live: { createdAt: inDays(-90), deactivatedAt: null, deleteAfter: null },
  }
  for (const [name, row] of Object.entries(times)) {
    db.prepare(
      `INSERT INTO account (did, signingKey, createdAt, deactivatedAt, deleteAfter)
        VALUES (:did, x'00', :createdAt, :deactivatedAt, :deleteAfter)`,
    ).run({ did: `did:plc:${name}`, ...row })
  }
  db.close()

  using store = new Store({ path: file, onFatal })
  const of = (name: keyof typeof times) => store.accounts.byDid(`did:plc:${name}`)!
  const floor = new Date(Date.parse(times.wish.deactivatedAt) + 30 * DAY_MS).toISOString()
  const common = { endMailedAt: null, moveStepAt: null, sessionGeneration: 1 }
  expect(of('wish')).toMatchObject({ ...common, ...times.wish, endsAt: floor })
  expect(of('late')).toMatchObject({ ...common, endsAt: times.late.deleteAfter })
  expect(of('rest')).toMatchObject({ ...common, endsAt: null })
  expect(of('live')).toMatchObject({ ...common, endsAt: null })
  const { moveStepAt, endsAt, deleteAfter } = of('move')
  expect(Date.parse(moveStepAt!)).toBeGreaterThan(Date.now() - 60_000)
  expect(endsAt).toBe(new Date(Date.parse(moveStepAt!) + 30 * DAY_MS).toISOString())
  expect(deleteAfter).toBeNull()
  expect(store.moves.total()).toEqual({ accounts: 1, bytes: 0 })
})
