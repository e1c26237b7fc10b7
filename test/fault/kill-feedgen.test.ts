/**
 * `kill -9` of the feed generator, and of the PDS that it follows, in the middle of writing: in the
 * end the index is what the repositories say. Nobody writes while a process starts, so that there
 * is as much to index on a slow machine as on a fast one.
 */
import path from 'node:path'
import { expect, test } from 'vitest'
import { untilReady } from '../../scripts/processes.ts'
import { freePort, type RunningProcess, startProcess } from '../support/processes.ts'
import { expectedIndex, readCursor, readIndex } from './feed-index.ts'
import { readPdsData } from './invariants.ts'
import { Load } from './load.ts'
import { killNow, makePdsHome } from './pds.ts'
import { type Faults, faults } from './preload.ts'
import { chosenSeed } from './seed.ts'

const READY = /^feed generator at/m

test('the index survives kill -9 of either service', { timeout: 240_000 }, async () => {
  const seed = chosenSeed()
  const load = new Load(seed)
  await using home = await makePdsHome()
  const feedgenFolder = path.join(home.folder, 'feedgen')
  const index = path.join(feedgenFolder, 'feedgen.sqlite')
  const endpoint = `${home.url.replace(/^http/, 'ws')}/xrpc/com.atproto.sync.subscribeRepos`
  const settings = {
    FEEDGEN_PORT: String(await freePort()),
    FEEDGEN_DATA_DIRECTORY: feedgenFolder,
    FEEDGEN_SUBSCRIPTION_ENDPOINT: endpoint,
    FEEDGEN_SUBSCRIPTION_RECONNECT_DELAY: '20ms',
    PDS_DID_PLC_URL: home.plcUrl,
    LOG_ENABLED: 'true',
  }
  const complaints: string[] = []
  const launchFeedgen = (wanted: Faults = {}): Promise<RunningProcess> =>
    startProcess({
      file: 'feedgen/main.ts',
      env: { ...settings, ...faults(wanted) },
      onLine: (line) => {
        if (/passed over|an error while/.test(line)) complaints.push(line)
      },
    })
  const startFeedgen = async (): Promise<RunningProcess> => {
    const feedgen = await launchFeedgen()
    await untilReady(feedgen, READY, 'the feed generator')
    return feedgen
  }

  let pds = await home.start()
  for (let count = 0; count < 4; count++) await load.join(home.url)

  // The feed generator alone dies: at named places, and anywhere.
  for (const crashAt of ['index.beforeCommit', 'index.afterCommit'] as const) {
    const dying = await launchFeedgen({ crashAt, nth: 1 + load.random.below(20) })
    // What is there already may be enough for it to die before it is ready.
    await Promise.race([untilReady(dying, READY, 'the feed generator'), dying.exited])
    load.start(home.url)
    expect(await dying.exited).toBeNull()
    await load.stop()
  }
  for (let round = 0; round < 2; round++) {
    const feedgen = await startFeedgen()
    load.start(home.url)
    await load.answered(load.random.below(200))
    await killNow(feedgen)
    await load.stop()
  }

  // The PDS dies, then both at once.
  let feedgen = await startFeedgen()
  for (const both of [false, true]) {
    load.start(home.url)
    await load.answered(50 + load.random.below(100))
    await Promise.all([killNow(pds), both ? killNow(feedgen) : undefined])
    await load.gone()
    expect({ seed, lost: load.settle(readPdsData(home.folder)) }).toEqual({ seed, lost: [] })
    const [restarted, follower] = await Promise.all([home.start(), both ? startFeedgen() : feedgen])
    pds = restarted
    feedgen = follower
  }

  load.start(home.url)
  await load.answered(50)
  await load.stop()
  expect(await pds.stop()).toBe(0)
  const data = readPdsData(home.folder)
  pds = await home.start()
  await expect.poll(() => readCursor(index)).toBeGreaterThanOrEqual(data.sequence)
  expect(await feedgen.stop()).toBe(0)
  await pds.stop()
  const expected = expectedIndex(data, endpoint)
  expect(readIndex(index)).toEqual(expected)
  expect(expected.posts.length).toBeGreaterThan(100)
  expect(complaints).toEqual([])
})
