import { execFileSync } from 'node:child_process'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { feedgenEnvironment, pdsEnvironment, pdsUrl, plcSettings } from '../../scripts/environment.ts'
import { root, type TemporaryFolder, temporaryFolder } from '../support/processes.ts'

let folder: TemporaryFolder
beforeEach(() => {
  folder = temporaryFolder()
})
afterEach(() => folder[Symbol.dispose]())

it('makes the secrets once, readable by their owner only', () => {
  const data = path.join(folder.path, 'pds')
  const first = pdsEnvironment({ PDS_DATA_DIRECTORY: data })
  expect(first.PDS_JWT_SECRET).toMatch(/^[0-9a-f]{32}$/)
  expect(first.PDS_ADMIN_PASSWORD).toMatch(/^[0-9a-f]{32}$/)
  expect(first.PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX).toMatch(/^[0-9a-f]{64}$/)
  expect(statSync(path.join(data, 'pds.env')).mode & 0o777).toBe(0o600)
  expect(pdsEnvironment({ PDS_DATA_DIRECTORY: data })).toEqual(first)
})

it('gives processes that start at once the same secrets', async () => {
  const script = `
    import { pdsEnvironment } from ${JSON.stringify(path.join(root, 'scripts/environment.ts'))}
    console.log(pdsEnvironment({ PDS_DATA_DIRECTORY: ${JSON.stringify(folder.path)} }).PDS_JWT_SECRET)`
  const file = path.join(folder.path, 'print.ts')
  writeFileSync(file, script)
  const node = path.join(root, 'node_modules/node/bin/node')
  const shell = `for i in 1 2 3 4; do "${node}" "${file}" & done; wait`
  const secrets = execFileSync('sh', ['-c', shell], { encoding: 'utf8' }).trim().split('\n')
  expect(secrets).toHaveLength(4)
  expect(new Set(secrets).size).toBe(1)
  expect(readFileSync(path.join(folder.path, 'pds.env'), 'utf8')).toContain(secrets[0])
})

it('lets variables that are set win, and takes empty ones as not set', () => {
  const env = {
    PDS_DATA_DIRECTORY: folder.path,
    PDS_PORT: '4000',
    PDS_JWT_SECRET: 'mine',
    PDS_INVITE_REQUIRED: '',
  }
  expect(pdsEnvironment(env)).toMatchObject({
    PDS_PORT: '4000',
    PDS_JWT_SECRET: 'mine',
    PDS_INVITE_REQUIRED: 'false',
    PDS_BLOBSTORE_DISK_LOCATION: path.join(folder.path, 'blocks'),
  })
  expect(feedgenEnvironment({ PDS_PORT: '4000' }).FEEDGEN_SUBSCRIPTION_ENDPOINT).toBe('ws://localhost:4000')
})

it('has both services use the PLC directory that is named, or else the one beside them', () => {
  for (const [env, url] of [
    [{}, 'http://localhost:2582'],
    [{ PLC_PORT: '4002' }, 'http://localhost:4002'],
    [{ PLC_PORT: '4002', PDS_DID_PLC_URL: 'https://plc.example' }, 'https://plc.example'],
  ] as const) {
    expect(pdsEnvironment({ ...env, PDS_DATA_DIRECTORY: folder.path }).PDS_DID_PLC_URL).toBe(url)
    expect(feedgenEnvironment(env).PDS_DID_PLC_URL).toBe(url)
  }
})

it('adds nothing to an environment that was written for a public host', () => {
  const pds = { PDS_HOSTNAME: 'pds.example.com', PDS_DATA_DIRECTORY: path.join(folder.path, 'pds') }
  expect(pdsEnvironment(pds)).toEqual(pds)
  expect(pdsUrl(pds)).toBe('https://pds.example.com')
  const feedgen = { FEEDGEN_HOSTNAME: 'feeds.example.com' }
  expect(feedgenEnvironment(feedgen)).toEqual(feedgen)
  expect(feedgenEnvironment({ FEEDGEN_HOSTNAME: 'localhost:3000' })).not.toEqual(feedgen)
})

it('refuses a port that is none', () => {
  expect(plcSettings({ PLC_PORT: '' }).port).toBe(2582)
  for (const port of ['x', '-1', '65536', '1.5']) {
    expect(() => plcSettings({ PLC_PORT: port })).toThrow(`PLC_PORT is not a port: ${port}`)
  }
})
