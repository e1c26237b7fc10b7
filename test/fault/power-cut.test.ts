/**
 * What a power cut leaves is less than what a kill leaves: of the database's log only what was
 * synced. A slow disk makes the difference large: whoever is told of a write too early is caught
 * here.
 */
import { randomBytes } from 'node:crypto'
import { appendFileSync, readFileSync, statSync, truncateSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../support/processes.ts'
import { DATABASE_FILE, readPdsData } from './invariants.ts'
import { Load } from './load.ts'
import { killNow, makePdsHome } from './pds.ts'
import { faults } from './preload.ts'
import { chosenSeed } from './seed.ts'
import { Subscriber } from './subscriber.ts'

const rounds = 4
const syncMs = 40

test('what was answered or sent survives a power cut', { timeout: 240_000 }, async () => {
  const seed = chosenSeed()
  await using home = await makePdsHome()
  using temporary = temporaryFolder()
  const syncedSize = path.join(temporary.path, 'synced')
  const log = `${path.join(home.folder, DATABASE_FILE)}-wal`
  const load = new Load(seed)
  const subscriber = new Subscriber()
  let cut = 0

  for (let round = 0; round < rounds; round++) {
    const running = await home.start(faults({ syncMs, syncedSize }))
    if (round === 0) for (let count = 0; count < 4; count++) await load.join(home.url)
    subscriber.connect(home.url)
    load.start(home.url)
    await load.answered(20 + load.random.below(60))
    await killNow(running)
    await Promise.all([load.gone(), subscriber.closed()])

    if (round % 2 === 1) {
      // The next process finds what was written and not synced, and has to make sure of it before
      // it tells anybody.
      const reading = await home.start(faults({ syncMs, syncedSize }))
      subscriber.connect(home.url)
      await subscriber.reaches(readPdsData(home.folder).sequence)
      await killNow(reading)
      await subscriber.closed()
    }
    const synced = Number(readFileSync(syncedSize))
    cut += statSync(log).size - synced
    truncateSync(log, synced)
    appendFileSync(log, randomBytes(load.random.below(20_000)))

    const { data, found } = await home.examine({ started: false })
    const lost = load.settle(data)
    const unkept = subscriber.unkept(data.events)
    expect({ seed, found, lost, unkept }).toEqual({ seed, found: [], lost: [], unkept: [] })
  }
  expect(cut).toBeGreaterThan(0)
})
