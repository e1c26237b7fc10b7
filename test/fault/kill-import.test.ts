/**
 * `kill -9` of the PDS in the middle of an import: the old repository is whole, and the archive
 * sent again finishes the job.
 */
import { rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import type { CrashPoint } from '#platform/crash-points.ts'
import { carOf, makeArchive, typicalRecords } from '../support/archive.ts'
import { createUser, rejection } from '../support/pds.ts'
import { temporaryFolder } from '../support/processes.ts'
import { seededRandom } from '../support/random.ts'
import { readPdsData } from './invariants.ts'
import { makePdsHome } from './pds.ts'
import { faults } from './preload.ts'
import { chosenSeed } from './seed.ts'

const GROUP: readonly CrashPoint[] = ['group.beforeCommit', 'group.beforeSync', 'group.beforeAnswers']
/** Writes come in groups: of these an import has begun by the first, and not ended by the last. */
const NTH_MIN = 3
const NTH_MAX = 5
/** Without images: the blobs that an import brings no bytes of would be missing. */
const records = new Map([...typicalRecords(6000)].filter(([, record]) => record.embed === undefined))

test('an import survives kill -9 at each of its steps', { timeout: 240_000 }, async () => {
  const random = seededRandom(chosenSeed())
  await using home = await makePdsHome()
  using temporary = temporaryFolder()
  const armedBy = path.join(temporary.path, 'armed')
  const first = await home.start()
  const { agent, did } = await createUser(home, 'mover')
  for (let i = 0; i < 20; i++) await agent.post({ text: `before ${i}` })
  expect(await first.stop()).toBe(0)
  const file = carOf(makeArchive(did, records))
  const importRepo = () => agent.com.atproto.repo.importRepo(file, { encoding: 'application/vnd.ipld.car' })

  for (const crashAt of GROUP) {
    // In the import, whose rows nobody sees yet.
    const nth = NTH_MIN + random.below(NTH_MAX - NTH_MIN + 1)
    const dying = await home.start(faults({ crashAt, nth, armedBy }))
    await expect.poll(() => readPdsData(home.folder).loose).toBe(0)
    writeFileSync(armedBy, '')
    await rejection(importRepo())
    expect(await dying.exited).toBeNull()
    const { data, found } = await home.examine({ started: false })
    expect({ crashAt, nth, found }).toEqual({ crashAt, nth, found: [] })
    expect(data.accounts.get(did)?.records.size).toBe(20)
    expect(data.loose).toBeGreaterThan(0)

    rmSync(armedBy)
    if (crashAt !== GROUP[0]) continue
    // In the start after that, which clears those rows away.
    const clearing = await home.launch(faults({ crashAt, nth: 1 + random.below(2) }))
    expect(await clearing.exited).toBeNull()
    expect((await home.examine({ started: false })).found).toEqual([])
  }

  const last = await home.start()
  await importRepo()
  await agent.post({ text: 'afterwards' })
  expect(await last.stop()).toBe(0)
  const { data, found } = await home.examine({ started: true })
  expect(found).toEqual([])
  expect(data.accounts.get(did)?.records.size).toBe(records.size + 1)
})
