/** `pds/main.ts` under plain Node, which strips types where vitest transforms them. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { AtpAgent } from '@atproto/api'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { createUser, PASSWORD, pdsEnv, startPds, startPdsProcess } from '../support/pds.ts'
import { type PlcDirectory, startPlc } from '../support/plc.ts'
import { startProcess, temporaryFolder } from '../support/processes.ts'
import { Subscriber } from '../support/subscriber.ts'

let plc: PlcDirectory
beforeAll(async () => {
  plc = await startPlc()
})
afterAll(() => plc?.[Symbol.asyncDispose]())

function testFolder(): string {
  const folder = temporaryFolder()
  onTestFinished(() => folder[Symbol.dispose]())
  return folder.path
}

/** Runs it where it cannot start; what it printed and its exit code. */
async function fail(env: NodeJS.ProcessEnv): Promise<{ code: number | null; output: string }> {
  await using process = await startProcess({ file: 'pds/main.ts', env })
  return { code: await process.exited, output: process.output() }
}

test('pds/main.ts starts, stops at a signal and finds its data again', async () => {
  const folder = testFolder()
  const first = await startPdsProcess({ plcUrl: plc.url, folder })
  expect(first.process.output()).toBe(`PDS at ${first.url} (did:web:localhost)\n`)
  const { agent, did } = await createUser(first, 'alice')
  const { uri } = await agent.post({ text: 'hello' })
  const subscriber = await Subscriber.connect(first.url, 0)
  await subscriber.count(5)
  first.process.kill('SIGTERM')
  expect(await first.process.exited).toBe(0)
  expect(await subscriber.closed).toMatchObject({ code: 1001 })
  expect(first.process.output().trim().split('\n')).toHaveLength(1)

  await using second = await startPdsProcess({ plcUrl: plc.url, folder })
  const again = new AtpAgent({ service: second.url })
  await again.login({ identifier: 'alice.test', password: PASSWORD })
  const { data } = await again.com.atproto.repo.listRecords({ repo: did, collection: 'app.bsky.feed.post' })
  expect(data.records.map((record) => record.uri)).toEqual([uri])
  await again.post({ text: 'and more' })
  const replay = await Subscriber.connect(second.url, 0)
  await replay.count(6)
  expect(replay.frames.slice(0, 5)).toEqual(subscriber.frames)
  replay[Symbol.dispose]()

  const third = await fail({ ...pdsEnv(plc.url, folder, 0) })
  expect(third).toEqual({
    code: 1,
    output: `The PDS cannot start: A PDS is running already on the data in ${folder}: stop it first, or choose another folder\n`,
  })
  second.process.kill('SIGINT')
  expect(await second.process.exited).toBe(0)
})

test('with a mail server that is down, users get an error and the operator reads what to do; its port is taken', async () => {
  await using down = await startPdsProcess({
    plcUrl: plc.url,
    env: { PDS_EMAIL_SMTP_URL: 'smtp://127.0.0.1:1', PDS_EMAIL_FROM_ADDRESS: 'pds@mail.example' },
  })
  const { agent } = await createUser(down, 'alice')
  const { server } = agent.com.atproto
  const heard = { status: 502, message: 'The mail could not be sent. Please try again later.' }
  await expect(server.requestEmailConfirmation()).rejects.toMatchObject(heard)
  await expect(server.requestAccountDelete()).rejects.toMatchObject(heard)
  expect((await server.requestPasswordReset({ email: 'alice@mail.example' })).success).toBe(true)
  const lines = () => down.process.output().split('\n')
  await expect
    .poll(() => lines().filter((line) => /ERROR mailer: a mail did not leave$/.test(line)))
    .toHaveLength(3)
  expect(lines().filter((line) => /^\S+ \S+ (WARN|ERROR) /.test(line))).toHaveLength(3)
  expect(down.process.output()).toMatch(/-> see whether the mail server runs .*PDS_EMAIL_SMTP_URL/)
  expect(down.process.output()).toContain('ECONNREFUSED')

  // Its port is taken.
  const { code, output } = await fail(pdsEnv(plc.url, testFolder(), down.port))
  expect(code).toBe(1)
  expect(output).toMatch(
    new RegExp(`^The PDS cannot start: listen EADDRINUSE: address already in use .*:${down.port}\n$`),
  )
})

test('all faults of the configuration are reported at once', async () => {
  const { code, output } = await fail({
    PDS_PORT: '70000',
    PDS_INVITE_REQUIRED: 'perhaps',
    PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX: 'secret',
    PDS_SERVICE_HANDLE_DOMAINS: 'test',
    PDS_ENTRYWAY_URL: 'https://entryway.example',
  })
  expect(code).toBe(78)
  expect(output.split('\n')[0]).toBe('The PDS cannot start: the configuration has 8 faults')
  for (const name of [
    'PDS_PORT: must be',
    'PDS_INVITE_REQUIRED: must be',
    'PDS_DATA_DIRECTORY: is not set',
    'PDS_JWT_SECRET: is not set',
    'PDS_ADMIN_PASSWORD: is not set',
    'PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX: must be',
    'PDS_SERVICE_HANDLE_DOMAINS: each domain',
    'PDS_ENTRYWAY_URL: an entryway',
  ]) {
    expect(output).toContain(`  ${name}`)
  }
  expect(output).not.toContain('secret')
})

test('the data of an official installation are left alone', async () => {
  const folder = testFolder()
  mkdirSync(path.join(folder, 'actors'))
  const { code, output } = await fail(pdsEnv(plc.url, folder, 0))
  expect(code).toBe(1)
  const message = (folder: string) => `${folder} holds the data of an official PDS`
  expect(output).toContain(`The PDS cannot start: ${message(folder)}`)
  expect(readdirSync(folder).filter((entry) => entry !== '.lock')).toEqual(['actors'])

  const other = testFolder()
  writeFileSync(path.join(other, 'account.sqlite'), '')
  await expect(startPds({ plcUrl: plc.url, folder: other })).rejects.toThrow(message(other))
  expect(readdirSync(other).filter((entry) => entry !== '.lock')).toEqual(['account.sqlite'])
})

test('without a secp256k1 binary the PDS signs in JavaScript and logs a warning', async () => {
  const folder = testFolder()
  const log = path.join(folder, 'log')
  const withoutBinary = `
    import { Module } from 'node:module'
    const load = Module._extensions['.node']
    Module._extensions['.node'] = (module, file) => {
      if (file.includes('secp256k1')) throw new Error('no binary')
      return load(module, file)
    }`
  await using pds = await startPdsProcess({
    plcUrl: plc.url,
    folder: path.join(folder, 'pds'),
    env: {
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(withoutBinary)}`,
      LOG_ENABLED: 'true',
      LOG_DESTINATION: log,
    },
  })
  const lines = readFileSync(log, 'utf8').trim().split('\n')
  const warnings = lines.map((line) => JSON.parse(line)).filter(({ level }) => level === 40)
  expect(warnings).toMatchObject([{ msg: expect.stringContaining('in JavaScript') }])
  const { agent } = await createUser(pds, 'slow')
  await agent.post({ text: 'signed all the same' })
})
