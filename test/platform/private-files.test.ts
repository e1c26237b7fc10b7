/** Folders that cannot be used: the operator reads which, as which user, and what to do. */
import { chmodSync, chownSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FolderError, makeFolder, makePrivateFolder, whatIsMissing } from '#platform/private-files.ts'
import { secrets } from '../support/pds.ts'
import { startProcess, type TemporaryFolder, temporaryFolder } from '../support/processes.ts'

let folder: TemporaryFolder
beforeEach(() => {
  folder = temporaryFolder()
})
afterEach(() => folder[Symbol.dispose]())

test.each([
  ['EACCES', /permission is missing \(.* belongs to user id \d+, mode \d+\)\. Give it to that user/],
  ['EROFS', /read-only\. Mount it for writing/],
  ['ENOSPC', /full\. Free some space/],
  ['ENOTDIR', /a file is in its place.*\. Move the file away/],
  ['EIO', /\(EIO\)\. See to it/],
])('for %s it says what is missing', (code, words) => {
  const place = path.join(folder.path, 'not/there')
  const sentence = whatIsMissing(place, code)
  expect(sentence).toMatch(words)
  expect(sentence).toContain(place)
  if (code !== 'ENOTDIR') expect(sentence).toContain(`the user ${userInfo().username}`)
})

test('the error names a file that stands in the place of a private folder', () => {
  const file = path.join(folder.path, 'file')
  writeFileSync(file, '')
  for (const place of [file, path.join(file, 'below')]) {
    expect(() => makeFolder(place)).toThrow(FolderError)
    expect(() => makePrivateFolder(place)).toThrow(`${place} cannot be a folder`)
  }
})

test('the permissions of an existing shared folder are kept', () => {
  const shared = path.join(folder.path, 'shared')
  mkdirSync(shared)
  chmodSync(shared, 0o1777)
  makeFolder(shared)
  expect(statSync(shared).mode & 0o7777).toBe(0o1777)
  makePrivateFolder(shared)
  expect(statSync(shared).mode & 0o777).toBe(0o700)
})

// Only a superuser can become another user; a superuser may write everywhere.
const isRoot = process.getuid?.() === 0
const NOBODY = 65_534

test.skipIf(!isRoot)('a file that another user left is named', async () => {
  chmodSync(folder.path, 0o755)
  const data = path.join(folder.path, 'data')
  mkdirSync(data)
  chownSync(data, NOBODY, NOBODY)
  const file = path.join(data, 'atoll.sqlite')
  writeFileSync(file, '', { mode: 0o600 })
  const script = path.join(folder.path, 'try.ts')
  writeFileSync(
    script,
    `import { makePrivateFolder } from ${JSON.stringify(path.resolve('platform/private-files.ts'))}
     process.setgid(${NOBODY})
     process.setuid(${NOBODY})
     try { makePrivateFolder(${JSON.stringify(data)}) } catch (error) { console.log(error.message) }`,
  )
  await using child = await startProcess({ file: script })
  await child.exited
  expect(child.output()).toContain(`${file} cannot be written by the user nobody: permission is missing`)
  expect(child.output()).toContain('belongs to user id 0, mode 600')
})

test.each([
  ['pds/main.ts', { PDS_DATA_DIRECTORY: 'file/data' }, 'file/data'],
  ['pds/main.ts', { PDS_DATA_DIRECTORY: 'data', PDS_BLOBSTORE_DISK_LOCATION: 'file/blobs' }, 'file/blobs'],
  ['feedgen/main.ts', { FEEDGEN_DATA_DIRECTORY: 'file/data' }, 'file/data'],
])('%s says so in one line: %j', async (file, variables, place) => {
  writeFileSync(path.join(folder.path, 'file'), '')
  const places = Object.entries(variables).map(([name, value]) => [name, path.join(folder.path, value)])
  const env = { ...secrets, PDS_PORT: '0', FEEDGEN_PORT: '0', ...Object.fromEntries(places) }
  await using child = await startProcess({ file, env })
  expect(await child.exited).toBe(1)
  expect(child.output().trim().split('\n')).toEqual([
    expect.stringContaining(`${path.join(folder.path, place)} cannot be a folder`),
  ])
})
