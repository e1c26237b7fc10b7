/**
 * `kill -9` of the PDS in the middle of writing: what was answered is there, what was sent was
 * durable, and nothing is torn.
 */
import { once } from 'node:events'
import { get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createUser } from '../support/pds.ts'
import { Load } from './load.ts'
import { killNow, makePdsHome } from './pds.ts'
import { chosenSeed } from './seed.ts'
import { Subscriber } from './subscriber.ts'

const rounds = 7
const pages = 20
const pageBytes = 900_000

test('the PDS survives kill -9 at any moment', { timeout: 240_000 }, async () => {
  const seed = chosenSeed()
  await using home = await makePdsHome()
  const load = new Load(seed)
  const steady = new Subscriber()
  const restless = new Subscriber()
  let running = await home.start()
  for (let count = 0; count < 4; count++) await load.join(home.url)

  for (let round = 0; round < rounds; round++) {
    steady.connect(home.url)
    restless.connect(home.url)
    load.start(home.url)
    await load.answered(load.random.below(150))
    await restless.disconnect()
    restless.connect(home.url)
    await load.answered(20 + load.random.below(150))
    await killNow(running)
    await Promise.all([load.gone(), steady.closed(), restless.closed()])

    const { data, found } = await home.examine({ started: false })
    const lost = load.settle(data)
    const unkept = [...steady.unkept(data.events), ...restless.unkept(data.events)]
    expect({ seed, round, found, lost, unkept }).toEqual({ seed, round, found: [], lost: [], unkept: [] })

    if (load.random.below(3) === 0) {
      const starting = await home.launch()
      await sleep(300 + load.random.below(600))
      await killNow(starting)
    }
    running = await home.start()
    await load.settleAccounts(home.url, data)
  }

  steady.connect(home.url)
  restless.connect(home.url)
  load.start(home.url)
  await load.answered(100)
  await load.stop()
  const tip = (await home.examine({ started: true })).data.sequence
  await Promise.all([steady.reaches(tip), restless.reaches(tip)])
  expect(await running.stop()).toBe(0)
  const { data, found } = await home.examine({ started: true })
  expect({ found, lost: load.settle(data) }).toEqual({ found: [], lost: [] })
  const expected = data.events.map(({ seq, frame }) => ({ seq, frame }))
  for (const { frames, faults } of [steady, restless]) {
    expect(faults).toEqual([])
    expect(frames.map(({ seq }) => seq)).toEqual(expected.map(({ seq }) => seq))
    expect(frames.every(({ frame }, i) => frame.equals(expected[i]!.frame))).toBe(true)
  }
})

test('an export interrupted by kill -9 leaves no rows behind', async () => {
  await using home = await makePdsHome()
  const running = await home.start()
  const { agent, did } = await createUser(home, 'large')
  const collection = 'com.example.page'
  const body = 'x'.repeat(pageBytes)
  for (let n = 0; n < pages; n++) {
    await agent.com.atproto.repo.createRecord({ repo: did, collection, rkey: `${n}`, record: { n, body } })
  }
  // Nobody reads the answer, which is larger than what lies on the way.
  const request = get(`${home.url}/xrpc/com.atproto.sync.getRepo?did=${did}`)
  request.on('error', () => {
    // The kill.
  })
  await once(request, 'response')
  await agent.com.atproto.repo.deleteRecord({ repo: did, collection, rkey: '9' })
  await killNow(running)
  const { data, found } = await home.examine({ started: false })
  expect(found).toEqual([])
  expect(data.retired).toBeGreaterThan(0)

  expect(await (await home.start()).stop()).toBe(0)
  expect((await home.examine({ started: true })).found).toEqual([])
})
