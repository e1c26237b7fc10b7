/**
 * The whole line as `npm start` brings it up: processes, ports and data folders as a user's, only
 * elsewhere.
 */
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { AtpAgent } from '@atproto/api'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isPortFree } from '../../scripts/processes.ts'
import { startPlc } from '../support/plc.ts'
import {
  freePort,
  type RunningProcess,
  startProcess,
  type TemporaryFolder,
  temporaryFolder,
} from '../support/processes.ts'
import { startReferencePds } from '../support/reference-pds.ts'

let folder: TemporaryFolder
let env: Record<string, string>

beforeEach(async () => {
  folder = temporaryFolder()
  env = {
    PLC_PORT: String(await freePort()),
    PDS_PORT: String(await freePort()),
    FEEDGEN_PORT: String(await freePort()),
    PLC_DATA_DIRECTORY: path.join(folder.path, 'plc'),
    PDS_DATA_DIRECTORY: path.join(folder.path, 'pds'),
    FEEDGEN_DATA_DIRECTORY: path.join(folder.path, 'feedgen'),
  }
})
afterEach(() => folder[Symbol.dispose]())

const start = (more: Record<string, string> = {}): Promise<RunningProcess> =>
  startProcess({ file: 'scripts/start.ts', env: { ...env, ...more }, ready: /^ready$/m })

const run = async (file: string, args: string[] = [], more: Record<string, string> = {}) => {
  await using script = await startProcess({ file, args, env: { ...env, ...more } })
  return { code: await script.exited, output: script.output() }
}

/** The `atoll` command, as the account of the credentials. */
const runAtoll = (...args: string[]) =>
  run('scripts/atoll/main.ts', args, {
    ATOLL_ACCOUNT: credentials.handle,
    ATOLL_PASSWORD: credentials.password,
  })

const ports = () => [env.PLC_PORT, env.PDS_PORT, env.FEEDGEN_PORT].map(Number)
const allPortsFree = async () => (await Promise.all(ports().map(isPortFree))).every(Boolean)
const pdsUrl = () => `http://localhost:${env.PDS_PORT}`
const credentials = {
  handle: 'alice.test',
  identifier: 'alice.test',
  password: 'hunter22',
  email: 'a@mail.test',
}

const pageOf = async (feed: string): Promise<string[]> => {
  const feedgen = new AtpAgent({ service: `http://localhost:${env.FEEDGEN_PORT}` })
  const { data } = await feedgen.app.bsky.feed.getFeedSkeleton({ feed })
  return data.feed.map(({ post }) => post)
}

describe('npm start', () => {
  it('starts everything, keeps its data over Ctrl-C and kill -9, refuses to start twice, and hosts the demo', {
    timeout: 300_000,
  }, async () => {
    const first = await start()
    for (const name of ['plc', 'pds', 'feedgen'])
      expect(first.output()).toMatch(new RegExp(`^${name} *\\| `, 'm'))
    const agent = new AtpAgent({ service: pdsUrl() })
    await agent.createAccount(credentials)
    const post = await agent.post({ text: 'still here?' })
    const published = await runAtoll('feed', 'publish', '--built-in')
    expect(published).toMatchObject({ code: 0, output: expect.stringContaining('created') })
    const feed = `at://${agent.assertDid}/app.bsky.feed.generator/latest`
    await expect.poll(() => pageOf(feed).catch(() => [])).toEqual([post.uri])

    // Data or ports that are in use are noticed before anything is started.
    await expect(start()).rejects.toThrow(`running already on the data in ${folder.path}`)
    const elsewhere = {
      PLC_DATA_DIRECTORY: path.join(folder.path, 'plc2'),
      PDS_DATA_DIRECTORY: path.join(folder.path, 'pds2'),
      FEEDGEN_DATA_DIRECTORY: path.join(folder.path, 'feedgen2'),
    }
    const refused = await start(elsewhere).catch((error) => error)
    expect(refused.message).toContain(`Port ${env.PLC_PORT}, which the PLC directory needs, is in use`)
    expect(refused.output).not.toContain('|')
    expect(await fetch(`${pdsUrl()}/xrpc/_health`)).toMatchObject({ status: 200 })

    // The terminal signals the whole group, and npm passes its signal on as well.
    first.kill('SIGINT')
    first.kill('SIGINT')
    expect(await first.exited).toBe(0)
    expect(await allPortsFree()).toBe(true)

    const second = await start()
    await agent.login(credentials)
    expect(
      (await agent.getPost({ repo: agent.assertDid, rkey: post.uri.split('/').at(-1) as string })).uri,
    ).toBe(post.uri)
    expect(await pageOf(feed)).toEqual([post.uri])
    const removed = await runAtoll('feed', 'unpublish', '--built-in', 'latest')
    expect(removed).toMatchObject({ code: 0, output: expect.stringContaining('removed') })
    await expect.poll(() => pageOf(feed).catch((error) => error.error)).toBe('UnknownFeed')
    second.kill('SIGKILL')
    await second.exited
    // Nothing is left running.
    await expect.poll(allPortsFree).toBe(true)

    const third = await start()
    for (let time = 0; time < 2; time++) {
      const { code, output } = await run('scripts/demo.ts')
      expect(code, output).toBe(0)
      const pages = output.split(/^(?:\S.*) \((?:latest|hot|following|mutuals)\):.*$/m).slice(1)
      expect(pages).toHaveLength(4)
      const ranked = pages.map((page) => page.match(/^ +\d+ .*$/gm) ?? [])
      for (const page of ranked) expect(page.length, output).toBeGreaterThan(2)
      expect(new Set(ranked.map((page) => page.join('\n'))).size, 'each feed shows another page').toBe(4)
    }
    execFileSync('pkill', ['-KILL', '-P', String(third.pid), '-f', 'feedgen/main.ts'])
    expect(await third.exited).toBe(1)
    expect(third.output()).toContain('feed generator was killed; everything is stopped')
    expect(await allPortsFree()).toBe(true)
  })

  it('uses the PLC directory of PDS_DID_PLC_URL and starts none', async () => {
    await using plc = await startPlc()
    await using line = await start({ PDS_DID_PLC_URL: plc.url })
    expect(line.output()).not.toMatch(/^plc/m)
    const agent = new AtpAgent({ service: pdsUrl() })
    await agent.createAccount(credentials)
    expect(await fetch(`${plc.url}/${agent.assertDid}`)).toMatchObject({ status: 200 })
  })
})

describe('the parts', () => {
  it('npm run pds:reference stands in for the PDS, and the feed generator follows it', async () => {
    await using plc = await startPlc()
    await using reference = await startReferencePds(plc.url, { PDS_PORT: env.PDS_PORT })
    await using _feedgen = await startProcess({
      file: 'scripts/feedgen.ts',
      env: { ...env, PDS_DID_PLC_URL: plc.url },
      ready: `http://localhost:${env.FEEDGEN_PORT}/xrpc/app.bsky.feed.describeFeedGenerator`,
    })
    const agent = new AtpAgent({ service: reference.url })
    await agent.createAccount(credentials)
    const post = await agent.post({ text: 'from another house' })
    expect(await runAtoll('feed', 'publish', '--built-in', 'latest')).toMatchObject({ code: 0 })
    const feed = `at://${agent.assertDid}/app.bsky.feed.generator/latest`
    await expect.poll(() => pageOf(feed).catch(() => [])).toEqual([post.uri])
  })

  it('npm run pds makes its own environment', async () => {
    await using plc = await startPlc()
    await using _pds = await startProcess({
      file: 'scripts/pds.ts',
      env: { ...env, PDS_DID_PLC_URL: plc.url },
      ready: `${pdsUrl()}/xrpc/_health`,
    })
    await expect(
      startReferencePds(plc.url, { PDS_DATA_DIRECTORY: env.PDS_DATA_DIRECTORY }),
      'the reference on the same data',
    ).rejects.toThrow("holds Atoll's data")
    const agent = new AtpAgent({ service: pdsUrl() })
    await agent.createAccount(credentials)
    expect(agent.session?.handle).toBe(credentials.handle)
  })
})
