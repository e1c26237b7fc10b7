import { readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { DataInUseError, lockDataDirectory } from '#platform/data-lock.ts'
import { root, startProcess, type TemporaryFolder, temporaryFolder } from '../support/processes.ts'

let folder: TemporaryFolder
beforeEach(() => {
  folder = temporaryFolder()
})
afterEach(() => folder[Symbol.dispose]())

it('a data lock is held by one process until it is released', () => {
  const data = path.join(folder.path, 'new/data')
  const lock = lockDataDirectory(data, 'A test')
  expect(() => lockDataDirectory(data, 'A test')).toThrow(
    new DataInUseError(data, 'A test'), // the message names the folder
  )
  lock[Symbol.dispose]()
  lockDataDirectory(data, 'A test')[Symbol.dispose]()
  expect(readdirSync(data), 'nothing but the lock is left').toEqual(['.lock'])
})

it('a data lock ends with its process, kill -9 included', async () => {
  const holder = path.join(folder.path, 'holder.ts')
  writeFileSync(
    holder,
    `import { lockDataDirectory } from ${JSON.stringify(path.join(root, 'platform/data-lock.ts'))}
     globalThis.lock = lockDataDirectory(${JSON.stringify(folder.path)}, 'A test')
     console.log('locked')
     setInterval(() => {}, 1000)`,
  )
  await using process = await startProcess({ file: holder, ready: /locked/ })
  expect(() => lockDataDirectory(folder.path, 'A test')).toThrow(DataInUseError)
  process.kill('SIGKILL')
  await process.exited
  lockDataDirectory(folder.path, 'A test')[Symbol.dispose]()
})
