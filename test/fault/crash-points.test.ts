/**
 * The PDS dies at each named place between two steps that must not come apart; the next start finds
 * it well.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { CrashPoint } from '#platform/crash-points.ts'
import { createUser } from '../support/pds.ts'
import type { PdsData } from './invariants.ts'
import { Load } from './load.ts'
import { makePdsHome, type PdsHome } from './pds.ts'
import { faults } from './preload.ts'
import { chosenSeed } from './seed.ts'
import { Subscriber } from './subscriber.ts'

/**
 * A place that load brings the PDS to; `trace`: what the crash left behind shows that it was there.
 */
interface Case {
  crashAt: CrashPoint
  nth: number
  trace?: (data: PdsData) => boolean
}

const hasFileWithoutRow = ({ accounts, files }: PdsData) =>
  files.size > [...accounts.values()].reduce((sum, { blobs }) => sum + blobs.size, 0)

const cases: Case[] = [
  { crashAt: 'group.beforeCommit', nth: 25 },
  { crashAt: 'group.beforeSync', nth: 25 },
  { crashAt: 'group.beforeAnswers', nth: 25 },
  { crashAt: 'blob.beforeRename', nth: 3, trace: ({ uploads }) => uploads.length > 0 },
  { crashAt: 'blob.beforeRow', nth: 3, trace: hasFileWithoutRow },
  { crashAt: 'account.beforeRow', nth: 1 },
]

let home: PdsHome
let load: Load
const subscriber = new Subscriber()

beforeAll(async () => {
  home = await makePdsHome()
  load = new Load(chosenSeed())
})
afterAll(() => home[Symbol.asyncDispose]())

test('a start killed before its key secret is in place is repaired by the next', async () => {
  const dying = await home.launch(faults({ crashAt: 'secret.beforeRename' }))
  expect(await dying.exited).toBeNull()
  const running = await home.start()
  for (let count = 0; count < 3; count++) await load.join(home.url)
  expect(await running.stop()).toBe(0)
  const { data, found } = await home.examine({ started: true })
  expect(found).toEqual([])
  expect(data.accounts.size).toBe(3)
})

test.each(cases)('a crash at $crashAt loses nothing that was answered', async ({ crashAt, nth, trace }) => {
  const dying = await home.start(faults({ crashAt, nth }))
  subscriber.connect(home.url)
  load.start(home.url)
  expect(await dying.exited).toBeNull()
  await Promise.all([load.gone(), subscriber.closed()])
  const { data, found } = await home.examine({ started: false })
  const lost = load.settle(data)
  expect({ found, lost, unkept: subscriber.unkept(data.events) }).toEqual({ found: [], lost: [], unkept: [] })
  if (trace) expect(trace(data)).toBe(true)
})

test('a handle that only the PLC directory knows is set by repeating updateHandle', async () => {
  const dying = await home.start(faults({ crashAt: 'handle.beforeRow' }))
  const { agent, did } = await createUser(home, 'renamed')
  const rename = () => agent.com.atproto.identity.updateHandle({ handle: 'renamed-again.test' })
  await expect(rename()).rejects.toThrow()
  expect(await dying.exited).toBeNull()
  const { data, found } = await home.examine({ started: false })
  expect(found).toEqual([`${did}: is renamed.test here and renamed-again.test in the PLC directory`])

  const running = await home.start()
  await rename()
  await load.settleAccounts(home.url, data)
  expect(await running.stop()).toBe(0)
  expect((await home.examine({ started: true })).found).toEqual([])
})
