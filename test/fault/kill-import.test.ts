/** `kill -9` of the PDS in the middle of an import: the old repository is whole, and the archive sent again finishes the job. */
import { expect, test } from 'vitest'
import { carOf, makeArchive, typicalRecords } from '../support/archive.ts'
import { createUser } from '../support/pds.ts'
import { seededRandom } from '../support/random.ts'
import { killNow, makePdsHome } from './pds.ts'

const seed = Number(process.env.FAULT_SEED ?? Math.floor(Math.random() * 2 ** 31))
const rounds = 6
/** Without images: the blobs that an import brings no bytes of would be missing. */
const records = new Map([...typicalRecords(8000)].filter(([, record]) => record.embed === undefined))

test('an import survives kill -9 at any moment', { timeout: 120_000 }, async () => {
  console.log(`FAULT_SEED=${seed}`)
  const random = seededRandom(seed)
  await using home = await makePdsHome()
  let running = await home.start()
  const { agent, did } = await createUser(home, 'mover')
  for (let i = 0; i < 20; i++) await agent.post({ text: `of before ${i}` })
  const file = carOf(makeArchive(did, records))
  const importRepo = () => agent.com.atproto.repo.importRepo(file, { encoding: 'application/vnd.ipld.car' })

  let cutOff = 0
  for (let round = 0; round < rounds; round++) {
    const answered = importRepo().then(
      () => true,
      () => false,
    )
    const { promise, resolve } = Promise.withResolvers<void>()
    setTimeout(resolve, random.below(500))
    await promise
    await killNow(running)
    const { data, found } = await home.examine({ started: false })
    expect(found).toEqual([])
    const count = data.accounts.get(did)?.records.size
    expect([20, records.size]).toContain(count)
    if (await answered) expect(count).toBe(records.size)
    if (data.loose > 0) cutOff++
    // A start that is killed, too, now and then: clearing away goes on with the next.
    if (random.below(2) === 0) {
      const starting = await home.launch()
      const { promise, resolve } = Promise.withResolvers<void>()
      setTimeout(resolve, 400 + random.below(300))
      await promise
      await killNow(starting)
    }
    running = await home.start()
  }
  expect(cutOff).toBeGreaterThan(0)

  await importRepo()
  await agent.post({ text: 'of afterwards' })
  expect(await running.stop()).toBe(0)
  const { data, found } = await home.examine({ started: true })
  expect(found).toEqual([])
  expect(data.accounts.get(did)?.records.size).toBe(records.size + 1)
})
