/** The quick tests know every room. */
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { QUICK_FILES } from './quick-files.ts'

const root = path.dirname(import.meta.dirname)
const foldersOf = (service: string): string[] =>
  readdirSync(path.join(root, service), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `${service}/${name}`)

test('npm run test:quick covers every room of the sources', () => {
  const rooms = ['lexicons', 'platform', 'protocol', 'scripts', ...foldersOf('pds'), ...foldersOf('feedgen')]
  expect(Object.keys(QUICK_FILES).sort()).toEqual(rooms.sort())
})

test('npm run test:quick names only files and folders that exist', () => {
  const missing = Object.values(QUICK_FILES)
    .flat()
    .filter((file) => !existsSync(path.join(import.meta.dirname, file)))
  expect(missing).toEqual([])
})
