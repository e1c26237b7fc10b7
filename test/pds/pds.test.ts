import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { readConfig } from '../../pds/config.ts'
import { createPds } from '../../pds/pds.ts'
import { pdsEnv } from '../support/pds.ts'
import { temporaryFolder } from '../support/processes.ts'

test('closes its database when it cannot listen on its port', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void other.close())
  await new Promise((resolve) => other.once('listening', resolve))
  const { port } = other.address() as AddressInfo
  using folder = temporaryFolder()
  const config = readConfig(pdsEnv('http://localhost:1', folder.path, port))
  await expect(createPds(config)).rejects.toMatchObject({ code: 'EADDRINUSE' })
  expect(existsSync(path.join(folder.path, 'atoll.sqlite'))).toBe(true)
  // SQLite removes it when the last connection is closed.
  expect(existsSync(path.join(folder.path, 'atoll.sqlite-wal'))).toBe(false)
})
