/** The feed generator as a process, under plain Node. */
import { expect, test } from 'vitest'
import { startDirectory } from '../support/directory.ts'
import { ProcessNotReadyError, startProcess, temporaryFolder } from '../support/processes.ts'
import { startRelay } from '../support/relay.ts'

test('it starts, keeps its data to itself and stops when it is told to', async () => {
  await using directory = await startDirectory()
  await using relay = await startRelay()
  using folder = temporaryFolder()
  const options = {
    file: 'feedgen/main.ts',
    env: {
      FEEDGEN_PORT: '0',
      FEEDGEN_HOSTNAME: 'feeds.test',
      FEEDGEN_DATA_DIRECTORY: folder.path,
      FEEDGEN_SUBSCRIPTION_ENDPOINT: relay.url,
      PDS_DID_PLC_URL: directory.url,
    },
    ready: /feed generator at http.*did:web:feeds\.test/,
  }
  await using feedgen = await startProcess(options)
  const url = /http:\S+/.exec(feedgen.output())?.[0]
  expect((await fetch(`${url}/xrpc/_health`)).status).toBe(200)

  const second = await startProcess(options).catch((error) => error)
  expect(second).toBeInstanceOf(ProcessNotReadyError)
  expect(second.output).toMatch(/The feed generator is running already on the data in/)
  expect(second.output).not.toMatch(/ at .*\.ts:\d+/)

  const port = String(new URL(url as string).port)
  using other = temporaryFolder()
  const third = startProcess({
    ...options,
    env: { ...options.env, FEEDGEN_PORT: port, FEEDGEN_DATA_DIRECTORY: other.path },
  })
  await expect(third).rejects.toThrow(/EADDRINUSE/)

  feedgen.kill('SIGINT')
  feedgen.kill('SIGTERM')
  expect(await feedgen.exited).toBe(0)
  await using again = await startProcess(options)
  expect(await again.stop()).toBe(0)
})

test('it says what is wrong with its configuration', async () => {
  const env = { FEEDGEN_PORT: 'x', FEEDGEN_DEV_MODE: 'maybe' }
  await using feedgen = await startProcess({ file: 'feedgen/main.ts', env })
  expect(await feedgen.exited).toBe(78)
  expect(feedgen.output()).toMatch(/2 faults\n {2}FEEDGEN_PORT: must be .*\n {2}FEEDGEN_DEV_MODE: must be/)
  expect(feedgen.output()).not.toMatch(/ at .*\.ts:\d+/)
})
